//! Callers who left messages are rung back.

use super::*;
use crate::base::{CallId, Wall};
use crate::event::Result as Loss;
use std::sync::Arc;
use uuid::Uuid;

fn lost(list: &mut Callbacks, n: u128, message: MessageLeft) {
    let (caller, hotline): (Arc<str>, Arc<str>) = ("13800138000".into(), "12345".into());
    let loss = if message == MessageLeft::Kept { Loss::Message } else { Loss::NoSeat };
    let (call, line) = (CallId(Uuid::from_u128(n)), hotline.clone());
    list.missed(Wall(n as i64), Missed { call, caller, hotline, line, loss, wanted: false, message }, &mut Vec::new());
}

fn messages(list: &Callbacks) -> Vec<u128> {
    list.list(Wall(0)).iter().flat_map(|row| row.messages.iter().map(|call| call.0.as_u128())).collect()
}

#[test]
fn whoever_left_a_message_is_listed_once_with_all_of_them_until_it_gets_through() {
    let mut list = Callbacks::new(Limits { losses: Vec::new(), ..Limits::default() });
    lost(&mut list, 1, MessageLeft::No);
    assert!(list.is_empty(), "no loss makes a row here");
    lost(&mut list, 2, MessageLeft::Kept);
    lost(&mut list, 3, MessageLeft::No);
    lost(&mut list, 4, MessageLeft::NoRoom);
    lost(&mut list, 5, MessageLeft::Kept);
    assert_eq!((list.len(), messages(&list)), (1, vec![2, 5]));
    let row = list.list(Wall(0)).remove(0);
    assert_eq!((row.calls, row.loss), (3, Loss::Message));
    (6..30).for_each(|n| lost(&mut list, n, MessageLeft::Kept));
    assert_eq!(messages(&list), (20..30).collect::<Vec<_>>(), "the last of them");
    list.served("13800138000", "12345", &mut Vec::new());
    assert!(list.is_empty());
    lost(&mut list, 31, MessageLeft::NoRoom);
    assert_eq!((list.len(), messages(&list)), (1, vec![]), "who could leave none is rung back, too");
}

#[test]
fn a_call_that_is_told_of_again_is_missed_once() {
    let mut list = Callbacks::new(Limits::default());
    for message in [MessageLeft::No, MessageLeft::Kept, MessageLeft::Kept] {
        lost(&mut list, 1, message);
    }
    let row = list.list(Wall(0)).remove(0);
    assert_eq!((row.calls, row.loss, messages(&list)), (1, Loss::Message, vec![1]));
    lost(&mut list, 2, MessageLeft::No);
    assert_eq!((list.list(Wall(0))[0].calls, messages(&list)), (2, vec![1]));
}

#[test]
fn a_row_of_before_there_were_messages_is_read() {
    let mut list = Callbacks::new(Limits::default());
    lost(&mut list, 1, MessageLeft::No);
    let row = serde_json::to_value(list.list(Wall(0)).remove(0)).unwrap();
    assert!(row.get("messages").is_none(), "{row}");
    let read: crate::event::fact::CallbackFact = serde_json::from_value(row).unwrap();
    assert_eq!(read.messages, []);
}
