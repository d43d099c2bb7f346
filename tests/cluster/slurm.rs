//! Slurm on this machine: munged, slurmctld and three slurmd, with ports and a directory of their own.

use super::processes::wait_until;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

/// One cluster at a time: its programs are many for a small machine.
static ONE: Mutex<()> = Mutex::new(());

const PROGRAMS: [&str; 3] = ["/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd"];

/// See the module. Dropping it ends the jobs, then the daemons.
pub struct Slurm {
    dir: tempfile::TempDir,
    daemons: Vec<Child>,
    _one: MutexGuard<'static, ()>,
}

impl Slurm {
    /// A cluster whose nodes are idle; None, and a loud word, where there can be none.
    pub fn start() -> Option<Self> {
        let missing: Vec<_> = PROGRAMS.iter().filter(|path| !Path::new(path).exists()).collect();
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        if !missing.is_empty() || !is_root {
            let why = format!("needs root and {missing:?}: apt-get install slurmctld slurmd slurm-client munge");
            assert!(std::env::var_os("CI").is_none(), "the cluster test {why}");
            eprintln!("SKIPPED: the cluster test {why}");
            return None;
        }
        let one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut slurm = Self {
            dir: tempfile::tempdir().unwrap(),
            daemons: Vec::new(),
            _one: one,
        };
        slurm.start_munge();
        slurm.configure();
        slurm.daemon(Command::new(PROGRAMS[1]).arg("-D"));
        for node in ["n1", "n2", "n3"] {
            std::fs::create_dir_all(slurm.path("spool").join(node)).unwrap();
            slurm.daemon(Command::new(PROGRAMS[2]).args(["-D", "-N", node]));
        }
        wait_until("three idle nodes", || {
            slurm.says("sinfo", &["-h", "-N", "-o", "%T"]).matches("idle").count() == 3
        });
        Some(slurm)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command that talks to this cluster.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("SLURM_CONF", self.path("slurm.conf"))
            .env_remove("THERMOFLOW_KEY");
        command
    }

    /// What a command of Slurm prints; empty when it fails.
    pub fn says(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// As [`Self::says`], and it must not fail.
    pub fn does(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    }

    /// Jobs in the queue that have not ended.
    pub fn queue(&self) -> String {
        self.says("squeue", &["-h", "-r", "-o", "%i %j %T %N"])
    }

    /// Ends slurmctld.
    pub fn end_controller(&mut self) {
        // munged was started first.
        let controller = &mut self.daemons[1];
        controller.kill().unwrap();
        controller.wait().unwrap();
    }

    fn start_munge(&mut self) {
        // Munge trusts no directory that others may write to.
        std::fs::set_permissions(&self.dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        let key: Vec<u8> = std::iter::repeat_with(rand::random).take(128).collect();
        std::fs::write(self.path("munge.key"), key).unwrap();
        std::fs::set_permissions(self.path("munge.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut munged = Command::new(PROGRAMS[0]);
        // --force: the directory above may be one that everybody writes to, as /tmp is.
        munged.args(["--foreground", "--force"]);
        for (flag, file) in [
            ("socket", "munge.sock"),
            ("key-file", "munge.key"),
            ("pid-file", "munged.pid"),
            ("log-file", "munged.log"),
            ("seed-file", "munge.seed"),
        ] {
            munged.arg(format!("--{flag}={}", self.path(file).display()));
        }
        self.daemon(&mut munged);
        let socket = self.path("munge.sock");
        wait_until("munged", || socket.exists());
    }

    /// cred_expire: what is put back into the queue waits that long, two minutes by default.
    fn configure(&self) {
        let (dir, host) = (self.dir.path().display(), thermoflow::process::host_name());
        let [ctld, n1, n2, n3] = free_ports();
        let node = |name: &str, port: u16| {
            format!(
                "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=1000 State=UNKNOWN"
            )
        };
        let nodes = [node("n1", n1), node("n2", n2), node("n3", n3)].join("\n");
        let text = format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={ctld}\nSlurmUser=root\n\
             AuthType=auth/munge\nAuthInfo=socket={dir}/munge.sock,cred_expire=5\nCredType=cred/munge\n\
             StateSaveLocation={dir}/state\nSlurmdSpoolDir={dir}/spool/%n\n\
             SlurmctldPidFile={dir}/slurmctld.pid\nSlurmdPidFile={dir}/slurmd-%n.pid\n\
             SlurmctldLogFile={dir}/slurmctld.log\nSlurmdLogFile={dir}/slurmd-%n.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nReturnToService=2\n\
             SlurmdParameters=config_overrides\nSchedulerParameters=sched_interval=2,batch_sched_delay=0\n\
             {nodes}\nPartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP\n"
        );
        std::fs::create_dir_all(self.path("state")).unwrap();
        std::fs::write(self.path("slurm.conf"), text).unwrap();
    }

    fn daemon(&mut self, command: &mut Command) {
        command.env("SLURM_CONF", self.path("slurm.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        self.daemons.push(child);
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        // A test that failed left its jobs; processes of a job outlive slurmd.
        for id in self.says("squeue", &["-h", "-o", "%A"]).lines() {
            let _ = self.command("scancel").args(["--signal=KILL", "--full", id]).status();
            let _ = self.command("scancel").arg(id).status();
        }
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !self.queue().is_empty() && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Ports that nobody has at the moment.
fn free_ports() -> [u16; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
