//! Files that people write, read whole.

use crate::base::Text;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// A file's bytes, or why there are none.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Text> {
    let about = std::fs::metadata(path).map_err(|e| told(&e))?;
    if about.is_dir() {
        return Err(both!("is a folder, not a file", "是文件夹，不是文件"));
    }
    let (size, megabytes) = (about.len(), most >> 20);
    if size > most {
        return Err(both!("has {size} bytes: {megabytes} MB are the most", "有 {size} 字节，最多 {megabytes} MB"));
    }
    // A file that is no ordinary one tells no size.
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| told(&e))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|e| told(&e))?;
    if bytes.len() as u64 > most { Err(both!("has more than {megabytes} MB", "超过 {megabytes} MB")) } else { Ok(bytes) }
}

/// Says the system's error in both languages.
pub fn told(error: &io::Error) -> Text {
    match error.kind() {
        ErrorKind::NotFound => both!("No such file or directory", "没有这个文件或文件夹"),
        ErrorKind::PermissionDenied => both!("may not be read: permission denied", "没有读取权限"),
        ErrorKind::IsADirectory => both!("is a folder, not a file", "是文件夹，不是文件"),
        ErrorKind::NotADirectory => both!("is not in a folder: a part of the way is a file", "路径中有一段不是文件夹"),
        _ => Text::foreign(error),
    }
}
