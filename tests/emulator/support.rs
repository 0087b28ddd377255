//! An emulator and a client for one test.

use libdeflater::{CompressionLvl, Compressor};
use penstock::emulator::{EmulatorHandle, EmulatorOptions, start};
use reqwest::header::HeaderMap;
use serde_json::Value;

/// What a test may fail with.
pub type TestResult = Fallible<()>;

/// What a step of a test may fail with.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// A timestamp in the middle of everything.
pub const NOON: i64 = 1_700_000_000_000;

/// An emulator on a free port, with a client.
pub struct Cdf {
    pub handle: EmulatorHandle,
    pub http: reqwest::Client,
    pub token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A member that is a text.
    pub fn text(&self, member: &str) -> Fallible<String> {
        let value = self.json()[member].as_str().map(str::to_owned);
        Ok(value.ok_or_else(|| format!("no {member} in {}", self.json()))?)
    }

    pub fn message(&self) -> String {
        self.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Cdf {
    /// An emulator with the defaults.
    pub fn new() -> Self {
        Self::with(EmulatorOptions::default())
    }

    pub fn sink() -> Self {
        Self::with(EmulatorOptions {
            sink: true,
            ..EmulatorOptions::default()
        })
    }

    pub fn with(options: EmulatorOptions) -> Self {
        let handle = start(options).expect("a free port of loopback can be listened on");
        Self {
            handle,
            http: plain_client(),
            token: "a token".to_owned(),
        }
    }

    /// The URL of a path below the project.
    pub fn url(&self, path: &str) -> String {
        format!("{}/api/v1/projects/plant{path}", self.handle.base_url())
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
        let reply = request.send().await?;
        Ok(Reply {
            status: reply.status().as_u16(),
            headers: reply.headers().clone(),
            bytes: reply.bytes().await?.to_vec(),
        })
    }

    pub fn request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(self.url(path))
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    pub async fn post(&self, path: &str, body: Value) -> reqwest::Result<Reply> {
        self.send(self.request(path, &body)).await
    }

    pub async fn get(&self, path: &str) -> reqwest::Result<Reply> {
        self.send(self.http.get(self.url(path)).bearer_auth(&self.token))
            .await
    }

    pub async fn post_protobuf(&self, path: &str, body: Vec<u8>) -> reqwest::Result<Reply> {
        let request = self
            .http
            .post(self.url(path))
            .bearer_auth(&self.token)
            .header("content-type", "application/protobuf")
            .body(body);
        self.send(request).await
    }

    /// Creates series by external id; those whose name starts with `text` hold strings.
    pub async fn create_series(&self, names: &[&str]) -> reqwest::Result<Reply> {
        let items: Vec<Value> = names
            .iter()
            .map(|name| {
                serde_json::json!({"externalId": name, "isString": name.starts_with("text")})
            })
            .collect();
        self.post("/timeseries", serde_json::json!({ "items": items }))
            .await
    }

    pub async fn admin(&self, method: &str, path: &str, body: Value) -> reqwest::Result<Reply> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let url = format!("{}/_emulator/{path}", self.handle.base_url());
        let request = self.http.request(method, url);
        let request = if body.is_null() {
            request
        } else {
            request.body(body.to_string())
        };
        self.send(request).await
    }

    /// Posts a form, as token endpoints take it.
    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Result<Reply> {
        let encode = |text: &str| -> String {
            let bytes = text.bytes().map(|byte| format!("%{byte:02x}"));
            bytes.collect()
        };
        let pairs: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let request = self
            .http
            .post(format!("{}{path}", self.handle.base_url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"));
        self.send(request).await
    }

    /// The token of an application.
    pub async fn sign_in(&self, client_id: &str, secret: &str) -> Fallible<String> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
        ];
        self.post_form("/oauth2/token", &form)
            .await?
            .text("access_token")
    }

    /// A token as a test orders it.
    pub async fn mint(&self, order: Value) -> Fallible<String> {
        let minted = self.admin("POST", "identity/tokens", order).await?;
        assert_eq!(minted.status, 201, "{}", minted.json());
        minted.text("token")
    }

    /// The status that a token gets for listing time series.
    pub async fn opens(&self, token: &str) -> reqwest::Result<u16> {
        let request = self.http.get(self.url("/timeseries")).bearer_auth(token);
        Ok(self.send(request).await?.status)
    }

    pub async fn statistics(&self) -> reqwest::Result<Value> {
        Ok(self.admin("GET", "statistics", Value::Null).await?.json())
    }

    pub async fn requests(&self, operation: &str) -> reqwest::Result<Vec<Value>> {
        let path = format!("requests?operation={operation}");
        let reply = self.admin("GET", &path, Value::Null).await?;
        Ok(reply.json()["items"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }
}

/// A client that goes straight to the emulator, whatever proxy the machine has.
pub fn plain_client() -> reqwest::Client {
    // reqwest asks for a TLS provider even where it will only speak plain HTTP. The second
    // test to come here finds one installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client for plain HTTP needs nothing from outside")
}

/// Compresses a body as clients do.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::fastest());
    let mut body = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor
        .gzip_compress(text, &mut body)
        .expect("the bound leaves enough room");
    body.truncate(length);
    body
}
