//! Articles: what the tenants of this service make.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse, Response};
use bailiwick::change::Answer;
use bailiwick::credit::{HoldRequest, Receipt};
use bailiwick::scope::state::{Read, Write};
use bailiwick::scope::traits::Covers;
use bailiwick::scope::{BuildError, NotFound, Statement};
use bailiwick::tenant::Site;
use bailiwick::throttle::Passage;
use bailiwick::{Access, Hold, Scope, SiteId, WriteAccess};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::AppError;
use super::extract::{Json, Path, Query, RequestKey};
use super::store::SQLITE;
use super::tables::Article;
use super::{AI, App};

/// How long the writer may take before its hold runs out.
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
    /// A digest of all that it says; site and number hold no space, so its parts stay apart.
    fn fingerprint(&self) -> [u8; 32] {
        let Self {
            site,
            title: Title(title),
            words: Words(words),
        } = self;
        Sha256::digest(format!("{site} {words} {title}")).into()
    }
}

/// 1 to 200 characters.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Title(String);

impl TryFrom<String> for Title {
    type Error = String;

    fn try_from(title: String) -> Result<Self, String> {
        match title.chars().count() {
            1..=200 => Ok(Self(title)),
            length => Err(format!("a title has 1 to 200 characters, not {length}")),
        }
    }
}

/// 1 to 2000 words.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Words(u64);

impl TryFrom<u64> for Words {
    type Error = String;

    fn try_from(words: u64) -> Result<Self, String> {
        if (1..=2000).contains(&words) {
            Ok(Self(words))
        } else {
            Err(format!("words is {words}, not 1 to 2000"))
        }
    }
}

#[derive(Serialize)]
struct Written {
    article: ArticleRow,
    receipt: Receipt,
}

/// POST /articles: a call of the writer, paid by its words. The order of the lines is the point of
/// it.
pub async fn write(
    access: WriteAccess,
    State(app): State<App>,
    RequestKey(key): RequestKey,
    Json(draft): Json<Draft>,
) -> Result<Response, AppError> {
    let now = app.now();
    let site = access.write().site(draft.site.clone())?; // 403 before anything is charged
    let passage = app.throttle.check(&access, AI, now)?; // 429 with RateLimit headers
    let request = HoldRequest {
        key,
        quote: app.prices.quote("article", draft.words.0)?,
        time_to_live: HOLD_LIFE,
        fingerprint: Some(draft.fingerprint()), // the same key with another draft is another request: 422
    };
    let hold = match app.store.hold(&access, &request, now).await? {
        Answer::Fresh(hold) => hold, // only a fresh hold may run the call; without credits there is none: 402
        Answer::Replayed(earlier) => {
            return answer(&app, &site, earlier.receipt()?, &passage).await;
        } // the same answer
    };
    // In a task of its own: a client that hangs up drops its handler, but no call that has begun.
    let receipt = tokio::spawn(write_and_settle(app.clone(), site.clone(), hold, draft)).await??;
    answer(&app, &site, receipt, &passage).await
}

/// The expensive call and the one end of its hold.
async fn write_and_settle(
    app: App,
    site: Scope<Site, Write>,
    hold: Hold,
    draft: Draft,
) -> Result<Receipt, AppError> {
    let text = match app.writer.write(&draft.title.0, draft.words.0).await {
        Ok(text) => text,
        Err(out_of_order) => {
            app.store.release(hold, app.now()).await?;
            return Err(out_of_order.into());
        }
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

/// What a request has made, whether just now or before.
async fn answer(
    app: &App,
    site: &Scope<Site, Write>,
    receipt: Receipt,
    passage: &Passage,
) -> Result<Response, AppError> {
    let select = site
        .select::<Article>()
        .filter(Article::REQUEST.equals(receipt.key.as_str()));
    let article = app
        .store
        .rows(select.build(SQLITE))
        .await?
        .pop()
        .ok_or(NotFound)?;
    let headers = AppendHeaders(passage.headers());
    Ok((
        StatusCode::CREATED,
        headers,
        axum::Json(Written { article, receipt }),
    )
        .into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// The site; without it, the whole account.
    site: Option<SiteId>,
}

/// GET /articles: of the whole account, or of one site.
pub async fn list(
    access: Access,
    State(app): State<App>,
    Query(place): Query<Where>,
) -> Result<axum::Json<Vec<ArticleRow>>, AppError> {
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
    Ok(axum::Json(app.store.rows(select).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    title: Option<Title>,
    body: Option<String>,
}

/// PATCH /articles/{id}
pub async fn edit(
    access: WriteAccess,
    State(app): State<App>,
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

/// DELETE /articles/{id}
pub async fn delete(
    access: WriteAccess,
    State(app): State<App>,
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
