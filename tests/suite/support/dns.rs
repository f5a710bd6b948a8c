//! A real DNS server on a loopback port, with a zone from code.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, MX, SOA};
use hickory_proto::rr::{Name, RData, Record};
use hickory_server::Server;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneType};
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr as _;
use std::sync::Arc;

/// The records of a test, before the server runs.
#[derive(Default)]
pub(crate) struct Zone {
    records: Vec<Record>,
}

/// A name server that runs until it is dropped.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Zone {
    pub(crate) fn mx(mut self, domain: &str, preference: u16, host: &str) -> Self {
        self.add(domain, RData::MX(MX::new(preference, name(host))));
        self
    }

    pub(crate) fn a(mut self, host: &str, address: [u8; 4]) -> Self {
        self.add(host, RData::A(A(Ipv4Addr::from(address))));
        self
    }

    /// Serves the zone. Names that end in `servfail.test` are answered with SERVFAIL, names that
    /// end in `silent.test` not at all.
    pub(crate) fn serve(mut self) -> Dns {
        let soa = SOA::new(name("ns.test"), name("hostmaster.test"), 1, 60, 60, 60, 1);
        self.add("", RData::SOA(soa));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = runtime.block_on(async move {
            let mut zone = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(
                Name::root(),
                ZoneType::Primary,
                AxfrPolicy::Deny,
            );
            for record in self.records {
                zone.upsert_mut(record, 1);
            }
            let mut catalog = Catalog::new();
            catalog.upsert(Name::root().into(), vec![Arc::new(zone)]);
            let (udp, tcp) = loop {
                let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let address = udp.local_addr().unwrap();
                if let Ok(tcp) = tokio::net::TcpListener::bind(address).await {
                    break (udp, tcp);
                }
            };
            let address = udp.local_addr().unwrap();
            let mut server = Server::new(Moody { catalog });
            server.register_socket(udp);
            server.register_listener(tcp, std::time::Duration::from_secs(5), 4096);
            tokio::spawn(async move { server.block_until_done().await });
            address
        });
        Dns {
            address,
            _runtime: runtime,
        }
    }

    fn add(&mut self, owner: &str, data: RData) {
        self.records.push(Record::from_rdata(name(owner), 60, data));
    }
}

fn name(text: &str) -> Name {
    Name::from_str(&format!("{}.", text.trim_end_matches('.'))).unwrap()
}

/// The catalog, but for the names whose server is broken on purpose.
struct Moody {
    catalog: Catalog,
}

#[async_trait::async_trait]
impl RequestHandler for Moody {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut responder: R,
    ) -> ResponseInfo {
        let asked = request
            .request_info()
            .map(|info| info.query.name().to_string());
        let asked = asked.unwrap_or_default();
        if asked.ends_with("silent.test.") {
            std::future::pending::<()>().await;
        }
        if asked.ends_with("servfail.test.") {
            let response = MessageResponseBuilder::from_message_request(request)
                .error_msg(&request.metadata, ResponseCode::ServFail);
            return responder.send_response(response).await.unwrap();
        }
        self.catalog
            .handle_request::<R, T>(request, responder)
            .await
    }
}
