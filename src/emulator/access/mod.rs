//! Who may do what: projects, their groups, and what these let their members do.
//!
//! It owns the groups of each project (`group`, `groups` with the calls), the
//! capabilities that they carry (`acl`, `capability`, `scope`), what an operation needs
//! (`needs`) and whether a principal has it (`rights`, `enforcement`), and how a principal
//! is shown what it has (`inspection`). Nothing is enforced unless the emulator was told
//! to; then a principal without a group in a project is turned away with 401, one without
//! the capability with 403. Membership is what the token says: the `groups` claim against
//! the source id of a group. A change of groups counts from the next request on.

mod acl;
mod capability;
mod enforcement;
mod group;
mod groups;
mod inspection;
mod needs;
mod reach;
mod rights;
mod route;
mod scope;

pub use enforcement::check;
pub use inspection::inspect;
pub use needs::{Need, opens};
pub use rights::Rights;
pub use route::{AccessOperation, resolve};

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::identity::{ADMIN_GROUP, Identity, Principal};
use super::options::EmulatorOptions;
use super::sessions::{self, SessionSettings, SessionStore};
use group::GroupStore;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What says who may do what in one project.
#[derive(Debug, Default)]
pub struct ProjectAccess {
    pub groups: GroupStore,
    pub sessions: SessionStore,
}

/// The access control of one emulator.
#[derive(Debug)]
pub struct Access {
    /// Whether capabilities are asked for.
    pub enforced: bool,
    has_administrator: bool,
    projects: RwLock<BTreeMap<String, Arc<ProjectAccess>>>,
    session_settings: Mutex<SessionSettings>,
}

impl Access {
    pub fn new(options: &EmulatorOptions) -> Self {
        let access = Self {
            enforced: options.enforce_access,
            has_administrator: options.admin.is_some(),
            projects: RwLock::default(),
            session_settings: Mutex::default(),
        };
        if let Some(only) = &options.project {
            access.project(only);
        }
        access
    }

    /// A project that somebody who may has asked for.
    fn known(&self, name: &str) -> Option<Arc<ProjectAccess>> {
        let projects = self.projects.read().unwrap_or_else(PoisonError::into_inner);
        projects.get(name).cloned()
    }

    /// A project, which comes to be when it is not there. Its first group is that of the
    /// administrator.
    pub fn project(&self, name: &str) -> Arc<ProjectAccess> {
        self.known(name).unwrap_or_else(|| {
            let mut projects = self
                .projects
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let entry = projects.entry(name.to_owned());
            Arc::clone(entry.or_insert_with(|| {
                let project = ProjectAccess::default();
                if self.has_administrator {
                    project.groups.add_administrators();
                }
                Arc::new(project)
            }))
        })
    }

    fn all(&self) -> BTreeMap<String, Arc<ProjectAccess>> {
        let projects = self.projects.read().unwrap_or_else(PoisonError::into_inner);
        projects.clone()
    }

    /// What the principal may do in a project; nothing in one that is not there. Only an
    /// administrator brings a project about.
    pub fn rights(&self, principal: &Principal, project: &str) -> Rights {
        let administers = principal.groups.iter().any(|group| group == ADMIN_GROUP);
        let known = if administers && self.has_administrator {
            Some(self.project(project))
        } else {
            self.known(project)
        };
        known.map_or_else(Rights::default, |known| {
            Rights::of(known.groups.of(principal))
        })
    }

    pub fn session_settings(&self) -> SessionSettings {
        *self
            .session_settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_session_settings(&self, settings: SessionSettings) {
        *self
            .session_settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Ends the sessions whose credentials the identity provider no longer accepts.
    pub fn end_lost_sessions(&self, identity: &Identity) {
        for project in self.all().values() {
            project.sessions.end_lost(identity);
        }
    }

    /// Forgets groups and sessions; the group of the administrator comes back.
    pub fn clear(&self) {
        for project in self.all().values() {
            project.sessions.clear();
            project.groups.clear();
            if self.has_administrator {
                project.groups.add_administrators();
            }
        }
    }
}

/// Answers a call on groups or sessions.
pub fn serve(call: &mut Call<'_>, operation: AccessOperation) -> Result<Answer, Refusal> {
    use AccessOperation as O;
    match operation {
        O::GroupsList => groups::list(call),
        O::GroupsCreate => groups::create(call),
        O::GroupsDelete => groups::delete(call),
        O::SessionsCreate => sessions::create(call),
        O::SessionsList => sessions::list(call),
        O::SessionsByIds => sessions::by_ids(call),
        O::SessionsRevoke => sessions::revoke(call),
        O::SessionsToken => sessions::token(call),
    }
}
