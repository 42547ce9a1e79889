//! Every route, with the scope it needs: the one list, from which the router is built.

use super::guard::{self, RouteName};
use super::problem::{Kind, Problem};
use super::server::App;
use super::tokens::Scope;
use super::{
    body, channels, events, health, leftover, offers, openapi, payments, peers, quotes, records, socket, swaps, wallet, webhooks,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, post};

/// One method of one path.
pub(super) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub scope: Scope,
    handler: fn() -> MethodRouter<App>,
}

const fn route(method: &'static str, path: &'static str, scope: Scope, handler: fn() -> MethodRouter<App>) -> Route {
    Route { method, path, scope, handler }
}

/// The list.
pub(super) const ROUTES: &[Route] = &[
    route("GET", "/v1/offers", Scope::Read, || get(offers::list)),
    route("POST", "/v1/offers", Scope::Trade, || post(offers::create)),
    route("DELETE", "/v1/offers/{id}", Scope::Trade, || delete(offers::cancel)),
    route("GET", "/v1/peers", Scope::Read, || get(peers::list)),
    route("POST", "/v1/peers", Scope::Admin, || post(peers::add)),
    route("GET", "/v1/peers/{peer}/offers", Scope::Read, || get(offers::of_peer)),
    route("GET", "/v1/pairs", Scope::Quote, || get(quotes::pairs)),
    route("POST", "/v1/quotes", Scope::Quote, || post(quotes::quote)),
    route("POST", "/v1/proposals", Scope::Quote, || post(quotes::propose)),
    route("POST", "/v1/acceptances", Scope::Trade, || post(quotes::accept)),
    route("GET", "/v1/swaps", Scope::Read, || get(swaps::list)),
    route("POST", "/v1/swaps", Scope::Trade, || post(swaps::start)),
    route("GET", "/v1/swaps/{id}", Scope::Read, || get(swaps::show)),
    route("GET", "/v1/swaps/{id}/payment", Scope::Read, || get(swaps::payment)),
    route("POST", "/v1/swaps/{id}/payment", Scope::Trade, || post(swaps::relay)),
    route("POST", "/v1/swaps/{id}/payment/psbt", Scope::Trade, || post(swaps::draft)),
    route("GET", "/v1/swaps/{id}/receipt", Scope::Read, || get(records::receipt)),
    route("POST", "/v1/swaps/{id}/approval", Scope::Admin, || post(swaps::approve)),
    route("GET", "/v1/statements", Scope::Read, || get(records::statement)),
    route("POST", "/v1/drain", Scope::Admin, || post(health::drain)),
    route("GET", "/v1/balances", Scope::Read, || get(wallet::balances)),
    route("POST", "/v1/addresses/{ledger}", Scope::Trade, || post(wallet::address)),
    route("POST", "/v1/sends", Scope::Withdraw, || post(wallet::send)),
    route("GET", "/v1/sends/{id}", Scope::Read, || get(wallet::sent)),
    route("GET", "/v1/channels", Scope::Read, || get(channels::list)),
    route("POST", "/v1/channels", Scope::Trade, || post(channels::open)),
    route("GET", "/v1/channels/{ledger}/{id}", Scope::Read, || get(channels::show)),
    route("POST", "/v1/channels/{ledger}/{id}/deposit", Scope::Trade, || post(channels::deposit)),
    route("POST", "/v1/channels/{ledger}/{id}/withdraw", Scope::Trade, || post(channels::withdraw)),
    route("POST", "/v1/channels/{ledger}/{id}/close", Scope::Trade, || post(channels::close)),
    route("POST", "/v1/channels/{ledger}/{id}/settle", Scope::Trade, || post(channels::settle)),
    route("GET", "/v1/neighbours", Scope::Read, || get(channels::neighbours)),
    route("GET", "/v1/fees", Scope::Read, || get(channels::fees)),
    route("GET", "/v1/payments", Scope::Read, || get(payments::list)),
    route("POST", "/v1/payments", Scope::Withdraw, || post(payments::pay)),
    route("POST", "/v1/payments/batch", Scope::Withdraw, || {
        post(payments::batch).layer(DefaultBodyLimit::max(payments::MAX_BATCH_BYTES))
    }),
    route("GET", "/v1/payments/{payment}", Scope::Read, || get(payments::show)),
    route("POST", "/v1/payments/{payment}/cancel", Scope::Trade, || post(payments::cancel)),
    route("GET", "/v1/requests", Scope::Read, || get(payments::requests)),
    route("POST", "/v1/requests", Scope::Trade, || post(payments::request)),
    route("GET", "/v1/requests/{hash}", Scope::Read, || get(payments::asked)),
    route("DELETE", "/v1/requests/{hash}", Scope::Trade, || delete(payments::give_up)),
    route("POST", "/v1/requests/{hash}/release", Scope::Trade, || post(payments::release)),
    route("GET", "/v1/routes", Scope::Read, || get(payments::routes)),
    route("GET", "/v1/webhooks", Scope::Admin, || get(webhooks::list)),
    route("POST", "/v1/webhooks", Scope::Admin, || post(webhooks::create)),
    route("DELETE", "/v1/webhooks/{id}", Scope::Admin, || delete(webhooks::remove)),
    route("POST", "/v1/webhooks/{id}/replay", Scope::Admin, || post(webhooks::replay)),
    route("GET", "/v1/health", Scope::Read, || get(health::health)),
    route("GET", "/v1/ready", Scope::Read, || get(health::ready)),
    route("GET", "/v1/events", Scope::Read, || get(events::stream)),
    route("GET", "/v1/events/ws", Scope::Read, || get(socket::listen)),
    route("GET", "/metrics", Scope::Read, || get(health::metrics)),
    route("GET", "/openapi.json", Scope::Read, || get(openapi::serve)),
];

/// The router, with the guard before everything that is read.
pub(super) fn router(app: App) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| {
        let named = RouteName(route.path);
        let scope = route.scope;
        let handler = (route.handler)()
            .route_layer(from_fn(move |request, next| guard::need_scope(scope, request, next)))
            .route_layer(from_fn(move |request, next| guard::name_route(named, request, next)));
        router.route(route.path, handler)
    });
    routes
        .fallback(async || Problem::new(Kind::NotFound, "there is no such path: GET /openapi.json lists them all"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "the Allow header says which methods this path takes")
        })
        .layer(DefaultBodyLimit::max(body::MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .layer(from_fn(leftover::throw_away))
        .with_state(app)
}
