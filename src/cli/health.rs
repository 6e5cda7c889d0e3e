//! `widgetd health`: asks the running server whether it can serve, for containers, in which there is no other program.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use super::{Options, fail, load_without_secrets, say};

/// For each step: longer than a server takes that is only busy.
const PATIENCE: Duration = Duration::from_secs(4);
/// More than `/readyz` has to say about hundreds of models.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn run(options: &Options) -> ExitCode {
    let config = match load_without_secrets(options) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let address = reachable(config.http.listen);
    let answer = match readiness(address) {
        Ok(answer) => answer,
        Err(error) => return fail(&format_args!("no server answers at http://{address}/readyz: {error}")),
    };
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.0 200 ") {
        say(format_args!("ready at http://{address}/: {body}"));
        ExitCode::SUCCESS
    } else {
        fail(&format_args!("the server at http://{address}/ is not ready: {body}"))
    }
}

/// Who listens on all addresses is met on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The answer, head and body.
fn readiness(address: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    write!(socket, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
