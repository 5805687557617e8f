//! How a request becomes a WebSocket, or is told why not.
//!
//! **What.** [`upgrade`] judges and answers the handshake (RFC 6455 4.2); `begin_websocket` makes
//! the session what was agreed on.
//!
//! **Why this way.** It has a file of its own, and functions that are not inlined, because nearly
//! all requests are none: what is not a part of their way does not make it longer.
//!
//! **Costs.** Nothing but for an upgrade, which goes over the headers again.
//!
//! **Read next.** `src/proto/ws/handshake/mod.rs`, `src/session/websocket.rs`.

use super::{Next, TEXT, respond};
use crate::proto::http1::{Exchange, Request, Status, Version};
use crate::proto::ws::deflate::{Codec, Params};
use crate::proto::ws::handshake::{self, Refusal};
use crate::proto::ws::{Kind, Role};
use crate::service::{Outbound, Service};
use crate::session::websocket::WebSocket;
use crate::session::{Desk, End, Routes, Session, Speech, stream};

impl<T: Default> Session<T> {
    /// Joins the session to a service, now that the handshake is answered.
    #[cold]
    pub(super) fn begin_websocket<R: Routes<Service: Service<State = T>>>(
        &mut self,
        route: u16,
        subprotocol: Option<&'static str>,
        agreed: Option<Params>,
        routes: &mut R,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let codec = agreed.map(|agreed| Codec::new(agreed, Role::Server, &mut desk.deflate));
        let mut websocket = WebSocket::new(codec);
        let (service, mail) = routes.service(route);
        if let Some(subprotocol) = subprotocol {
            service.agreed(&mut self.state, subprotocol);
        }
        let encoding = websocket.encoding(Kind::Text, &mut desk.deflate.compressing);
        let mut out = Outbound::new(encoding, &mut desk.write, mail);
        service.connected(&mut self.state, &mut out);
        let outcome = stream::goes_on(&out);
        (self.speech, self.route) = (Speech::WebSocket(websocket), Some(route));
        outcome
    }
}

/// How it goes on if the answer is not what the client hopes for. Whether the body that it holds
/// back follows (RFC 9110 10.1.1), or frames do, nobody knows: then it does not.
pub(super) fn exchange_of_refusal(request: &Request<'_>) -> Exchange {
    let hopes = request.expects_continue || (request.is_upgrade && asks_for_websocket(request));
    if hopes { request.exchange().closing() } else { request.exchange() }
}

#[inline(never)]
fn asks_for_websocket(request: &Request<'_>) -> bool {
    request.upgrades().any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// The handshake (RFC 6455 4.2) of a GET, and whether the page that asks for it may.
#[inline(never)]
pub(super) fn upgrade(
    request: &Request<'_>,
    route: u16,
    spoken: &[&'static str],
    exchange: Exchange,
    desk: &mut Desk,
) -> Next {
    let minor = u8::from(request.version == Version::Http11);
    match handshake::check("GET", minor, request.headers(), spoken) {
        Ok(upgrade) if is_allowed(request, &desk.limits.allow_origin) => {
            let deflate = desk.deflate.accept(request.values("sec-websocket-extensions"));
            let upgrade = handshake::Upgrade { deflate, ..upgrade };
            upgrade.write(&mut desk.write);
            Next::Upgraded(route, upgrade.protocol, deflate)
        }
        Ok(_) => {
            let text = "this origin may not; see --allow-origin";
            respond(Status::Forbidden, &[TEXT], text, exchange, &desk.date, &mut desk.write);
            Next::Forbidden
        }
        Err(refusal) => {
            let status = match refusal.status() {
                426 => Status::UpgradeRequired,
                _ => Status::BadRequest,
            };
            // One that did not say so well enough to be `is_upgrade` has failed all the same.
            let asks = refusal != Refusal::NoUpgrade;
            let exchange = if asks { exchange.closing() } else { exchange };
            let lines = [refusal.fields(), TEXT];
            respond(status, &lines, refusal.reason(), exchange, &desk.date, &mut desk.write);
            Next::Answered(exchange)
        }
    }
}

/// A browser says from which page a WebSocket is opened, and does not let the page lie. Other
/// clients send no Origin. Compared whole, port included: a name that merely ends in the right way
/// is another one (RFC 6455 10.2).
fn is_allowed(request: &Request<'_>, allow_origin: &[String]) -> bool {
    let mut origins = request.values("origin");
    let Some(origin) = origins.next() else { return true };
    let Ok(origin) = std::str::from_utf8(origin) else { return false };
    let own = |host| {
        let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        place.is_some_and(|place| place.as_bytes().eq_ignore_ascii_case(host))
    };
    let listed = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(origin);
    origins.next().is_none() && (request.host.is_some_and(own) || allow_origin.iter().any(listed))
}
