//! Articles: what the tenants of this service make.

use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use bailiwick::axum::{Json, Path, Query};
use bailiwick::change::Answer;
use bailiwick::credit::{HoldRequest, IdempotencyKey, Receipt};
use bailiwick::http::Gatekeeper;
use bailiwick::scope::state::{Read, Write};
use bailiwick::scope::traits::Covers;
use bailiwick::scope::{BuildError, NotFound, Statement};
use bailiwick::tenant::Site;
use bailiwick::throttle::Passage;
use bailiwick::{Access, Code, Hold, Problem, Scope, SiteId, WriteAccess};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::AppError;
use super::store::SQLITE;
use super::tables::Article;
use super::{AI, App};

/// The time that the writer may take before its hold on the credits runs out.
const HOLD_LIFE: TimeDelta = TimeDelta::new(120, 0).unwrap();
/// The most articles in one answer.
const MAX_ARTICLES: u32 = 100;

#[derive(Serialize, sqlx::FromRow)]
pub struct ArticleRow {
    id: i64,
    title: String,
    body: String,
    created_at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    site: SiteId,
    title: Title,
    words: Words,
}

impl Draft {
    /// Returns a digest of the whole draft. Neither the site nor the number holds a space, so no
    /// two drafts are digested alike.
    fn fingerprint(&self) -> [u8; 32] {
        let Self {
            site,
            title: Title(title),
            words: Words(words),
        } = self;
        Sha256::digest(format!("{site} {words} {title}")).into()
    }
}

/// A title: 1 to 200 characters.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Title(String);

impl TryFrom<String> for Title {
    type Error = String;

    fn try_from(title: String) -> Result<Self, String> {
        match title.chars().count() {
            1..=200 => Ok(Self(title)),
            length => Err(format!(
                "a title must have 1 to 200 characters, not {length}"
            )),
        }
    }
}

/// A number of words: 1 to 2000.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Words(u64);

impl TryFrom<u64> for Words {
    type Error = String;

    fn try_from(words: u64) -> Result<Self, String> {
        if (1..=2000).contains(&words) {
            Ok(Self(words))
        } else {
            Err(format!("words must be 1 to 2000, not {words}"))
        }
    }
}

#[derive(Serialize)]
pub struct Written {
    article: ArticleRow,
    receipt: Receipt,
}

/// `POST /articles`: a call of the writer, paid by its words. The order of the steps matters: each
/// can refuse the request before the next one costs anything.
pub async fn write(
    access: WriteAccess,
    key: IdempotencyKey,
    State(app): State<Arc<App>>,
    Json(draft): Json<Draft>,
) -> Result<(StatusCode, Passage, Json<Written>), AppError> {
    let now = app.now();
    let site = access.write().site(draft.site.clone())?; // 403 before anything is charged
    let passage = app.throttle.check(&access, AI, now)?; // 429 with RateLimit headers
    let request = HoldRequest {
        key,
        quote: app.prices.quote("article", draft.words.0)?,
        time_to_live: HOLD_LIFE,
        fingerprint: Some(draft.fingerprint()), // another draft under the same key: 422
    };
    let receipt = match app.store.hold(&app.policy, &access, &request, now).await? {
        // Only a fresh hold may run the call, and without credits there is none: 402. The call runs
        // in a task of its own, so that it ends even if the client hangs up.
        Answer::Fresh(hold) => {
            let call = write_and_settle(app.clone(), site.clone(), hold, draft);
            tokio::spawn(call).await.context("the call broke off")??
        }
        Answer::Replayed(earlier) => earlier.receipt()?, // sent again: the same answer
    };

    let article = article_of(&app, &site, &receipt.key).await?;
    let written = Json(Written { article, receipt });
    Ok((StatusCode::CREATED, passage, written))
}

/// Makes the expensive call, and ends its hold in one way or the other.
async fn write_and_settle(
    app: Arc<App>,
    site: Scope<Site, Write>,
    hold: Hold,
    draft: Draft,
) -> Result<Receipt, AppError> {
    let Ok(text) = app.writer.write(&draft.title.0, draft.words.0).await else {
        app.store.release(hold, app.now()).await?;
        let detail = "The writer is out of order. Nothing was charged.";
        return Err(Problem::new(Code::UpstreamUnavailable, detail).into());
    };

    let cost = app.prices.quote("article", text.words)?.price();
    let insert = site
        .insert::<Article>()
        .set(Article::REQUEST, hold.key().as_str())
        .set(Article::TITLE, draft.title.0)
        .set(Article::BODY, text.body)
        .set(Article::CREATED_AT, app.now());
    app.store.settle(hold, cost, insert, app.now()).await // ledger and article in one transaction
}

/// Finds the article that a request made, whether just now or before.
async fn article_of(
    app: &App,
    site: &Scope<Site, Write>,
    request: &IdempotencyKey,
) -> Result<ArticleRow, AppError> {
    let select = site
        .select::<Article>()
        .filter(Article::REQUEST.equals(request.as_str()))
        .build(SQLITE);
    Ok(app.store.rows(select).await?.pop().ok_or(NotFound)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// The site; without it, the whole account.
    site: Option<SiteId>,
}

/// `GET /articles`: the newest ones of the whole account, or of one site.
pub async fn list(
    access: Access,
    State(app): State<Arc<App>>,
    Query(place): Query<Where>,
) -> Result<Json<Vec<ArticleRow>>, AppError> {
    fn newest<L: Covers<Site>>(scope: &Scope<L, Read>) -> Result<Statement, BuildError> {
        scope
            .select::<Article>()
            .order_by(Article::ID.descending())
            .limit(MAX_ARTICLES)
            .build(SQLITE)
    }

    let entry = access.read();
    let select = match place.site {
        Some(site) => newest(&entry.site(site)?),
        None => newest(&entry.account()?),
    };
    Ok(Json(app.store.rows(select).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    title: Option<Title>,
    body: Option<String>,
}

/// `PATCH /articles/{id}`
pub async fn edit(
    access: WriteAccess,
    State(app): State<Arc<App>>,
    Path(id): Path<i64>,
    Query(place): Query<Where>,
    Json(edit): Json<Edit>,
) -> Result<StatusCode, AppError> {
    fn one<L: Covers<Site>>(
        scope: &Scope<L, Write>,
        id: i64,
        edit: Edit,
    ) -> Result<Statement, BuildError> {
        let mut update = scope.update::<Article>().filter(Article::ID.equals(id));
        if let Some(title) = edit.title {
            update = update.set(Article::TITLE, title.0);
        }
        if let Some(body) = edit.body {
            update = update.set(Article::BODY, body);
        }
        update.build(SQLITE)
    }

    let entry = access.write();
    let update = match place.site {
        Some(site) => one(&entry.site(site)?, id, edit),
        None => one(&entry.account()?, id, edit),
    };
    app.store.touch(update).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /articles/{id}`
pub async fn delete(
    access: WriteAccess,
    State(app): State<Arc<App>>,
    Path(id): Path<i64>,
    Query(place): Query<Where>,
) -> Result<StatusCode, AppError> {
    fn one<L: Covers<Site>>(scope: &Scope<L, Write>, id: i64) -> Result<Statement, BuildError> {
        scope
            .delete::<Article>()
            .filter(Article::ID.equals(id))
            .build(SQLITE)
    }

    let entry = access.write();
    let delete = match place.site {
        Some(site) => one(&entry.site(site)?, id),
        None => one(&entry.account()?, id),
    };
    app.store.touch(delete).await?;
    Ok(StatusCode::NO_CONTENT)
}
