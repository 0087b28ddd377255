//! Letters by the HTTP API of a running gateway.
//!
//! Owns the calls and what is printed of their answers. Promises that what the gateway refuses
//! is told in its words, and that a replay goes on to the last letter. Never holds an export in
//! memory.

use super::{Done, GatewayArguments, table};
use crate::dead_letters::{ExportFormat, Letter, LetterFilter, LetterReplay, ReplayReport};
use reqwest::{Client, Method, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Exit code of a replay that left letters behind.
const LEFT_BEHIND: u8 = 2;

/// Letters of a page.
const PAGE_LETTERS: usize = 500;

#[derive(Deserialize)]
struct Page {
    items: Vec<Letter>,
    next: Option<i64>,
}

pub fn list(gateway: &GatewayArguments, filter: &LetterFilter, after: i64, limit: usize) -> Done {
    block_on(async {
        let api = Api::of(gateway)?;
        println!("{}", table::head());
        let (mut after, mut left) = (after, limit);
        while left > 0 {
            let mut query = pairs(filter);
            query.push(("after", after.to_string()));
            query.push(("limit", left.min(PAGE_LETTERS).to_string()));
            let page: Page = api.json(Method::GET, "", &query, None).await?;
            for letter in &page.items {
                println!("{}", table::line(letter));
            }
            left = left.saturating_sub(page.items.len());
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub fn show(gateway: &GatewayArguments, id: i64) -> Done {
    block_on(async {
        let letter = Api::of(gateway)?.letter(id).await?;
        print!("{}", table::block(&letter));
        Ok(ExitCode::SUCCESS)
    })
}

pub fn export(gateway: &GatewayArguments, filter: &LetterFilter, format: ExportFormat) -> Done {
    block_on(async {
        let mut query = pairs(filter);
        query.push(("format", name_of(format)));
        let api = Api::of(gateway)?;
        let mut answer = api.call(Method::GET, "/export", &query, None).await?;
        let mut output = std::io::stdout().lock();
        loop {
            let piece = answer
                .chunk()
                .await
                .map_err(|error| format!("The export broke off: {error}."))?;
            let Some(piece) = piece else {
                return Ok(ExitCode::SUCCESS);
            };
            output
                .write_all(&piece)
                .map_err(|error| format!("Standard output cannot be written: {error}."))?;
        }
    })
}

pub fn edit(gateway: &GatewayArguments, id: i64, given: &[String]) -> Done {
    block_on(async {
        let api = Api::of(gateway)?;
        let Letter {
            mut columns,
            mut values,
            ..
        } = api.letter(id).await?;
        for pair in given {
            let (column, value) = match pair.split_once('=') {
                Some((column, value)) => (column, Some(value.to_owned())),
                None => (pair.as_str(), None),
            };
            match columns.iter().position(|known| known == column) {
                Some(index) => values[index] = value,
                None => {
                    columns.push(column.to_owned());
                    values.push(value);
                }
            }
        }
        let body = json!({"columns": columns, "values": values}).to_string();
        let letter: Letter = api
            .json(Method::PUT, &format!("/{id}"), &[], Some((JSON, body)))
            .await?;
        print!("{}", table::block(&letter));
        Ok(ExitCode::SUCCESS)
    })
}

pub fn import(gateway: &GatewayArguments, file: &Path, format: ExportFormat) -> Done {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}.", file.display()))?;
    block_on(async {
        let query = [("format", name_of(format))];
        let answer: Value = Api::of(gateway)?
            .json(Method::POST, "/import", &query, Some((TEXT, text)))
            .await?;
        println!(
            "Read {} letters, edited {}.",
            answer["read"], answer["edited"]
        );
        Ok(ExitCode::SUCCESS)
    })
}

pub fn replay(gateway: &GatewayArguments, filter: &LetterFilter, force: bool) -> Done {
    block_on(async {
        let api = Api::of(gateway)?;
        let (mut accepted, mut left_behind) = (0, 0);
        let mut after = Some(0);
        while let Some(id) = after {
            let body = json!({"filter": filter, "force": force, "after": id}).to_string();
            let report: ReplayReport = api
                .json(Method::POST, "/replay", &[], Some((JSON, body)))
                .await?;
            for letter in report.letters {
                let why = match letter.end {
                    LetterReplay::Accepted => {
                        accepted += 1;
                        continue;
                    }
                    LetterReplay::Refused(reason) => {
                        format!("refused: {} {}", reason.sqlstate, reason.message)
                    }
                    LetterReplay::Unknown(reason) => format!("unknown: {}", reason.message),
                    LetterReplay::HeldBack { why } => {
                        format!("held back: {why}; --force replays it all the same")
                    }
                    LetterReplay::UnderWay => "under way in another replay".to_owned(),
                };
                left_behind += 1;
                println!("letter {}: {why}", letter.id);
            }
            after = report.next;
        }
        println!("{accepted} replayed, {left_behind} not.");
        Ok(match left_behind {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(LEFT_BEHIND),
        })
    })
}

pub fn purge(gateway: &GatewayArguments, filter: &LetterFilter) -> Done {
    block_on(async {
        let body = json!({"filter": filter, "all": true}).to_string();
        let answer: Value = Api::of(gateway)?
            .json(Method::POST, "/purge", &[], Some((JSON, body)))
            .await?;
        println!(
            "Deleted {} letters, {} of them not replayed.",
            answer["purged"], answer["not_replayed"]
        );
        Ok(ExitCode::SUCCESS)
    })
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The API of one gateway.
struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    fn of(gateway: &GatewayArguments) -> Result<Self, String> {
        let token = match (&gateway.token, &gateway.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| format!("{} cannot be read: {error}.", file.display()))?
                .trim_end()
                .to_owned(),
            (None, None) => {
                return Err(
                    "The gateway wants its token: set PENSTOCK_ADMIN_TOKEN or --token-file."
                        .to_owned(),
                );
            }
        };
        // Another part of this process may have been first: either way one is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .build()
            .map_err(|error| format!("The HTTP client cannot start: {error}."))?;
        let base = match gateway.http.contains("://") {
            true => gateway.http.trim_end_matches('/').to_owned(),
            false => format!("http://{}", gateway.http),
        };
        Ok(Api {
            client,
            base: format!("{base}/dead-letters"),
            token,
        })
    }

    async fn letter(&self, id: i64) -> Result<Letter, String> {
        self.json(Method::GET, &format!("/{id}"), &[], None).await
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<(&'static str, String)>,
    ) -> Result<T, String> {
        let answer = self.call(method, path, query, body).await?;
        let text = answer
            .text()
            .await
            .map_err(|error| format!("The answer broke off: {error}."))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("The answer cannot be read ({error}): {text}"))
    }

    /// A call that was done.
    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<(&'static str, String)>,
    ) -> Result<Response, String> {
        let mut url = Url::parse(&format!("{}{path}", self.base))
            .map_err(|error| format!("{} is no address: {error}.", self.base))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some((content_type, body)) = body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, content_type)
                .body(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| format!("The gateway cannot be reached: {error}."))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let said = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|body| Some(body["error"]["message"].as_str()?.to_owned()))
            .unwrap_or(text);
        Err(format!("The gateway answered {status}: {said}"))
    }
}

/// A filter as the API's query string spells it.
fn pairs(filter: &LetterFilter) -> Vec<(&'static str, String)> {
    let ids: Vec<String> = filter.ids.iter().map(i64::to_string).collect();
    [
        ("id", (!ids.is_empty()).then(|| ids.join(","))),
        ("table", filter.table.clone()),
        ("user", filter.user.clone()),
        ("sqlstate", filter.sqlstate.clone()),
        (
            "source",
            filter.source.map(|source| source.name().to_owned()),
        ),
        ("state", filter.state.map(|state| state.name().to_owned())),
        ("since", filter.since.map(|time| time.to_string())),
        ("until", filter.until.map(|time| time.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

fn name_of(format: ExportFormat) -> String {
    match format {
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::Csv => "csv",
    }
    .to_owned()
}

fn block_on(work: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("The network cannot be used: {error}."))?
        .block_on(work)
}
