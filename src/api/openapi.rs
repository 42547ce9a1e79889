//! The OpenAPI document, made from the handlers' own annotations.
//!
//! A copy is checked in beside this file for those who generate clients, and a test compares the two. After a change:
//! `PHOTON_WRITE_OPENAPI=1 cargo test -p photon --lib openapi`.

use super::problem::Problem;
use super::{channels, events, health, offers, payments, peers, quotes, records, socket, swaps, wallet, webhooks};
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::{ResponseBuilder, ResponsesBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Photon",
        description = "Atomic swaps of BTC, LTC, ETH, SMT and ERC20 tokens, and payment channels. Amounts are decimal strings of the smallest unit. \
                       Every answer has an `X-Request-Id`: the caller's own if it sent one (1 to 64 letters, digits, `-`, `_`, `.`). \
                       Every request needs a bearer token from the node's token file; each operation says which scope.",
    ),
    paths(
        offers::list,
        offers::create,
        offers::cancel,
        offers::of_peer,
        quotes::pairs,
        quotes::quote,
        quotes::propose,
        quotes::accept,
        swaps::list,
        swaps::start,
        swaps::show,
        swaps::approve,
        swaps::payment,
        swaps::relay,
        swaps::draft,
        records::receipt,
        records::statement,
        wallet::balances,
        wallet::address,
        wallet::send,
        wallet::sent,
        peers::list,
        peers::add,
        channels::list,
        channels::open,
        channels::show,
        channels::deposit,
        channels::withdraw,
        channels::close,
        channels::settle,
        channels::neighbours,
        channels::fees,
        payments::list,
        payments::pay,
        payments::batch,
        payments::show,
        payments::cancel,
        payments::requests,
        payments::request,
        payments::asked,
        payments::release,
        payments::give_up,
        payments::routes,
        webhooks::list,
        webhooks::create,
        webhooks::remove,
        webhooks::replay,
        health::health,
        health::ready,
        health::drain,
        health::metrics,
        events::stream,
        socket::listen,
        serve
    ),
    components(schemas(Problem)),
    modifiers(&Common)
)]
struct Api;

/// What every operation has in common.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
        document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                let scope = super::routes::ROUTES.iter().find(|route| route.method == method && route.path == path);
                let scope = scope.map(|route| format!("Needs the scope `{}`.", route.scope.name()));
                let said = operation.description.take();
                operation.description = Some([said, scope].into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
                add_problem(operation);
            }
        }
    }
}

/// The operations that we use of a path, with their methods.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [("GET", &mut item.get), ("POST", &mut item.post), ("DELETE", &mut item.delete)]
        .into_iter()
        .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

fn add_problem(operation: &mut Operation) {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let problem = ResponseBuilder::new()
        .description("Not done; says why and what to do")
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .build();
    let mut all = std::mem::replace(&mut operation.responses, ResponsesBuilder::new().build());
    all.responses.insert("default".to_owned(), RefOr::T(problem));
    operation.responses = all;
}

/// The document as JSON, as it is served and checked in.
pub fn document() -> String {
    Api::openapi().to_pretty_json().unwrap_or_else(|_| "{}".to_owned()) + "\n"
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "node",
    responses((status = 200, body = Object, content_type = "application/json")))]
pub(super) async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::routes::ROUTES;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_checked_in_is_the_one_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/openapi.json");
        if std::env::var_os("PHOTON_WRITE_OPENAPI").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        let same = checked_in == document();
        assert!(same, "the API has changed: run PHOTON_WRITE_OPENAPI=1 cargo test -p photon --lib openapi");
    }

    #[test]
    fn every_operation_parameter_and_field_says_what_it_is() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        let says = |value: &serde_json::Value| value["description"].as_str().is_some_and(|text| text.len() > 5);
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            assert!(says(schema), "{name}");
            for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
                let nested = inner["oneOf"].as_array().is_some_and(|forms| forms.iter().any(says));
                assert!(says(inner) || nested, "{name}.{field}");
            }
        }
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{method} {path}");
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(says(parameter), "{method} {path}: {}", parameter["name"]);
                }
            }
        }
    }

    #[test]
    fn every_route_is_in_the_document_and_no_other() {
        let mut described = BTreeSet::new();
        let mut names = BTreeSet::new();
        for (path, item) in &mut Api::openapi().paths.paths {
            for (method, operation) in operations(item) {
                assert!(operation.description.as_ref().unwrap().contains("Needs the scope"), "{method} {path}");
                described.insert((method, path.clone()));
                let name = operation.operation_id.clone().unwrap();
                assert!(names.insert(name), "two operations have one name: {method} {path}");
            }
        }
        let routed: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path.to_owned())).collect();
        assert_eq!(described, routed);
        assert_eq!(routed.len(), ROUTES.len(), "a route stands twice");
    }
}
