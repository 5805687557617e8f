use super::*;
use procfs::FromRead;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of files that goes when the test ends.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(format!("oneloop-cgroup-{}-{}", unique.0, unique.1));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("under root")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        Self(root)
    }

    fn groups(&self, cgroup: &str, mountinfo: &str) -> Groups {
        let mountinfo = mountinfo.replace("ROOT", self.0.to_str().expect("UTF-8"));
        Groups {
            cgroups: ProcessCGroups::from_read(cgroup.as_bytes()).expect("valid"),
            mounts: MountInfos::from_read(mountinfo.as_bytes()).expect("valid"),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const V2: &str = "30 23 0:26 / ROOT rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
const V1: &str = "35 31 0:32 / ROOT rw,relatime - cgroup cgroup rw,memory\n\
                  36 31 0:33 / ROOT rw,relatime - cgroup cgroup rw,cpu,cpuacct\n";

#[test]
fn version_2_takes_the_ancestor_with_the_least_room() {
    let tree = Tree::new(&[
        ("a/memory.max", "1000\n"),
        ("a/memory.current", "900\n"),
        ("a/memory.stat", "anon 1\ninactive_file 50\n"),
        ("a/b/memory.max", "500\n"),
        ("a/b/memory.current", "100\n"),
        ("a/b/c/memory.max", "max\n"),
        ("a/b/c/memory.current", "100\n"),
    ]);
    let memory = tree.groups("0::/a/b/c\n", V2).memory().expect("readable").expect("limited");
    assert_eq!(memory.bytes, Table { max: 1000, used: 850 });
    assert_eq!(memory.file, tree.0.join("a/memory.max"));
    assert_eq!(tree.groups("0::/elsewhere\n", V2).memory(), Ok(None));
}

#[test]
fn version_1_knows_no_limit_as_a_huge_number() {
    let tree = Tree::new(&[
        ("memory.limit_in_bytes", "9223372036854771712\n"),
        ("g/memory.limit_in_bytes", "8000\n"),
        ("g/memory.usage_in_bytes", "3000\n"),
        ("g/memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n"),
    ]);
    let memory = tree.groups("4:memory:/g\n", V1).memory().expect("readable").expect("limited");
    assert_eq!(memory.bytes, Table { max: 8000, used: 2000 });
    assert_eq!(tree.groups("4:memory:/\n", V1).memory(), Ok(None));
    assert_eq!(tree.groups("4:freezer:/g\n", V1).memory(), Ok(None), "another controller's group");
}

#[test]
fn the_smallest_cpu_quota_counts() {
    let v2 = Tree::new(&[("a/cpu.max", "150000 100000\n"), ("a/b/cpu.max", "max 100000\n")]);
    assert_eq!(v2.groups("0::/a/b\n", V2).cpu_quota(), Ok(Some(1.5)));
    let v1 = Tree::new(&[
        ("cpu.cfs_quota_us", "-1\n"),
        ("cpu.cfs_period_us", "100000\n"),
        ("g/cpu.cfs_quota_us", "50000\n"),
        ("g/cpu.cfs_period_us", "100000\n"),
    ]);
    assert_eq!(v1.groups("2:cpu,cpuacct:/g\n", V1).cpu_quota(), Ok(Some(0.5)));
    assert_eq!(v1.groups("2:cpu,cpuacct:/\n", V1).cpu_quota(), Ok(None));
}

#[test]
fn the_walk_ends_at_the_mount_point() {
    let mount = Path::new("/sys/fs/cgroup");
    let up = |root, group| upwards(mount, root, group);
    assert_eq!(up("/", "/a/b"), [mount.join("a/b"), mount.join("a"), mount.join("")]);
    assert_eq!(up("/docker/x", "/docker/x"), [mount.join("")]);
    assert_eq!(up("/docker/x", "/docker/x/y"), [mount.join("y"), mount.join("")]);
    assert_eq!(up("/", "/../other"), [mount.join("")], "outside of the namespace");
    assert_eq!(up("/docker/x", "/user"), [mount.join("")], "outside of the mount");
}

#[test]
fn garbage_is_a_reason_and_not_a_limit() {
    let tree = Tree::new(&[("memory.max", "lots\n")]);
    let why = tree.groups("0::/\n", V2).memory().expect_err("no number");
    assert!(why.contains("'lots'"), "{why}");
}
