//! Files that people name and write, read whole: the one way to each of them, so that no name leads to a device, a pipe or
//! a file without end.

use crate::base::Text;
use crate::io::process::descriptors;
use nix::fcntl::OFlag;
use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// A secret is a line; who puts more beside it has named another file.
const MAX_SECRET: u64 = 64 << 10;

/// A file's bytes, or why there are none.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Text> {
    // Opening is an act of its own for many a device, so it is looked at first.
    must_be_a_file(fs::metadata(path).map_err(|e| told(&e))?.file_type())?;
    let mut open = File::options();
    open.read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits());
    let file = open.open(path).map_err(|e| told(&e))?;
    let about = file.metadata().map_err(|e| told(&e))?;
    // Another one may stand there by now.
    must_be_a_file(about.file_type())?;
    let size = about.len();
    if size > most {
        let most = shown(most);
        return Err(both!("has {size} bytes: {most} are the most", "有 {size} 字节，最多 {most}"));
    }
    // A file of the system tells no size.
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|e| told(&e))?;
    let most_told = shown(most);
    if bytes.len() as u64 > most { Err(both!("has more than {most_told}", "超过 {most_told}")) } else { Ok(bytes) }
}

/// As [`read`], of text.
pub fn text(path: &Path, most: u64) -> Result<String, Text> {
    String::from_utf8(read(path, most)?).map_err(|_| both!("is not UTF-8 text", "不是 UTF-8 文本"))
}

/// As [`text`], of a token, password or key: nothing of it is in what is told.
pub fn secret(path: &Path) -> Result<String, Text> {
    text(path, MAX_SECRET)
}

fn must_be_a_file(kind: FileType) -> Result<(), Text> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => return Err(both!("is a folder, not a file", "是文件夹，不是文件")),
        kind if kind.is_fifo() => both!("a pipe", "管道"),
        kind if kind.is_socket() => both!("a socket", "套接字"),
        _ => both!("a device", "设备"),
    };
    Err(both!("is {}, not a file: it is not read", "是{}，不是文件，不予读取"; what))
}

fn shown(bytes: u64) -> String {
    if bytes >> 20 > 0 { format!("{} MB", bytes >> 20) } else { format!("{} kB", bytes >> 10) }
}

/// Says the system's error in both languages.
pub fn told(error: &io::Error) -> Text {
    match error.kind() {
        ErrorKind::NotFound => both!("No such file or directory", "没有这个文件或文件夹"),
        ErrorKind::PermissionDenied => both!("permission denied", "没有权限"),
        ErrorKind::AddrInUse => both!("Address already in use: another process listens there", "地址已被占用：另有进程正在监听"),
        ErrorKind::AddrNotAvailable => both!("this machine has no such address", "本机没有这个地址"),
        ErrorKind::StorageFull => both!("No space left on device", "磁盘已满"),
        ErrorKind::ReadOnlyFilesystem => both!("Read-only file system", "磁盘只读"),
        ErrorKind::IsADirectory => both!("is a folder, not a file", "是文件夹，不是文件"),
        _ if descriptors::is_lack(error) => {
            both!("no file or socket is left: ", "没有可用的文件描述符：").then(&descriptors::raise_it())
        }
        ErrorKind::NotADirectory => both!("is not in a folder: a part of the way is a file", "路径中有一段不是文件夹"),
        _ => match error.get_ref().and_then(|ours| ours.downcast_ref::<Text>()) {
            Some(ours) => ours.clone(),
            None => both!("{error}", "系统错误（{error}）"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_files_are_read_and_no_further_than_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink(at("pipe"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("link"), at("loop-of-links")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        fs::write(at("long"), vec![b'x'; 2049]).unwrap();
        fs::write(at("right"), vec![b'x'; 2048]).unwrap();
        fs::write(at("gbk"), [0xd6, 0xd0]).unwrap();
        let told = |path: &Path| read(path, 2048).unwrap_err();
        for (path, what) in [
            (at("pipe"), "is a pipe, not a file"),
            (at("loop-of-links"), "is a pipe"),
            (at("socket"), "is a socket"),
            ("/dev/zero".into(), "is a device"),
            ("/dev/stdin".into(), "is "),
            (at("long"), "has 2049 bytes: 2 kB are the most"),
            (at(""), "is a folder"),
            (at("right/x"), "is not in a folder"),
            (at("nothing"), "No such file"),
            (at("right\0.toml"), "file name contained an unexpected NUL byte"),
            // The system tells no size of it.
            ("/proc/self/smaps".into(), "has more than 2 kB"),
        ] {
            if path == Path::new("/dev/stdin") && fs::metadata(&path).is_ok_and(|about| about.is_file()) {
                continue;
            }
            assert!(told(&path).en.starts_with(what), "{}: {}", path.display(), told(&path));
            assert_ne!(told(&path).en, told(&path).zh, "{}", path.display());
        }
        assert_eq!(read(&at("right"), 2048).unwrap().len(), 2048);
        assert_eq!(text(&at("gbk"), 2048).unwrap_err().en, "is not UTF-8 text");
    }
}
