//! The adapter for actix-web, over real sockets.

use std::net::TcpListener;
use std::sync::Arc;

use crate::adapter::{AI, Host, LARGEST_BODY, name};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Json, Path, Query};
use actix_web::{App, Error, HttpServer};
use bailiwick::actix::{Passed, body_problem, install, method_not_allowed};
use bailiwick::credit::IdempotencyKey;
use bailiwick::gate::BillingAccess;
use bailiwick::http::{Anyone, Gatekeeper, MayConfirmPayments, MayCrossTenants, MayGrantCredits};
use bailiwick::{Access, Principal, Problem, WriteAccess};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Draft {
    title: String,
}

#[derive(Serialize)]
struct Written {
    title: String,
    key: String,
    account: String,
}

#[derive(Deserialize)]
struct Page {
    page: Option<u32>,
}

async fn public(Anyone(principal): Anyone) -> String {
    name(principal.as_ref())
}

async fn me(principal: Principal) -> String {
    name(Some(&principal))
}

async fn read(access: Access) -> String {
    format!("read {}", access.account_id())
}

async fn article(access: Access, id: Path<i64>, page: Query<Page>) -> String {
    format!(
        "article {id} of {}, page {}",
        access.account_id(),
        page.page.unwrap_or(1)
    )
}

async fn write(
    access: WriteAccess,
    key: IdempotencyKey,
    host: web::Data<Host>,
    Json(draft): Json<Draft>,
) -> Result<Passed<Json<Written>>, Problem> {
    let passage = host.throttle.check(&access, AI, host.now())?;
    let account = access.account_id().to_string();
    Ok(Passed(
        passage,
        Json(Written {
            title: draft.title,
            key: key.as_str().to_owned(),
            account,
        }),
    ))
}

async fn billing(access: BillingAccess) -> String {
    format!("billing {}", access.account_id())
}

async fn confirm(MayConfirmPayments(operator): MayConfirmPayments) -> String {
    format!("{} {}", operator.privilege(), operator.account_id())
}

async fn cross(MayCrossTenants(operator): MayCrossTenants) -> String {
    format!("{} {}", operator.privilege(), operator.account_id())
}

async fn grant(MayGrantCredits(operator): MayGrantCredits) -> String {
    format!("{} {}", operator.privilege(), operator.account_id())
}

/// A guard for routes whose handlers take nothing.
async fn guard(
    _: WriteAccess,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    next.call(request).await
}

fn run(listener: TcpListener, host: Arc<Host>) {
    let app = move || {
        let resource = |path| web::resource(path).default_service(web::to(method_not_allowed));
        let body = web::JsonConfig::default().limit(LARGEST_BODY);
        App::new()
            .configure(install(host.clone()))
            .app_data(body.error_handler(|error, _| body_problem(&error).into()))
            .app_data(web::Data::from(host.clone()))
            .service(resource("/public").route(web::get().to(public)))
            .service(resource("/me").route(web::get().to(me)))
            .service(
                resource("/articles")
                    .route(web::get().to(read))
                    .route(web::post().to(write)),
            )
            .service(resource("/articles/{id}").route(web::get().to(article)))
            .service(resource("/billing").route(web::get().to(billing)))
            .service(resource("/confirm").route(web::post().to(confirm)))
            .service(resource("/cross").route(web::post().to(cross)))
            .service(resource("/grant").route(web::post().to(grant)))
            .service(
                web::scope("/nested").service(resource("/articles").route(web::get().to(read))),
            )
            .service(
                resource("/guarded")
                    .route(web::get().to(async || "guarded"))
                    .wrap(from_fn(guard)),
            )
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap();
    actix_web::rt::System::new().block_on(server.run()).unwrap();
}

crate::adapter::checks!(run);

#[test]
fn a2_an_application_without_a_gatekeeper_lets_nobody_in() {
    let status = |token: &str| {
        let request = actix_web::test::TestRequest::get().uri("/articles");
        let request = request
            .insert_header(("authorization", format!("Bearer {token}")))
            .to_request();
        actix_web::rt::System::new().block_on(async {
            let app = App::new().route("/articles", web::get().to(read));
            let app = actix_web::test::init_service(app).await;
            actix_web::test::call_service(&app, request)
                .await
                .status()
                .as_u16()
        })
    };
    assert_eq!(["user-7", "expired"].map(status), [500, 500]);
}
