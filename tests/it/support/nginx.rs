//! A real nginx with a configuration of its own, in a folder of its own. `scripts/test.sh` installs it.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::client::Connection;
use super::proxy::free_address;
use super::server::Folder;
use super::wait_until;

pub(crate) struct Nginx {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) folder: Folder,
}

impl Nginx {
    /// `http` is what stands in the block `http` for a server on this address; paths in it are relative to the folder.
    pub(crate) fn start(folder: Folder, http: impl FnOnce(SocketAddr) -> String) -> Self {
        let address = free_address();
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
             events {{ worker_connections 256; }}
             http {{
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
                 {}
             }}",
            http(address)
        );
        let path = folder.write("nginx.conf", &config);
        let process = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(path)
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts; scripts/test.sh installs it");
        let nginx = Self { process, address, folder };
        wait_until("nginx accepts", || Connection::try_open(address).is_some());
        nginx
    }

    /// A log that its configuration names.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
