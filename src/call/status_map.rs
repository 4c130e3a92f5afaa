//! Statuses that a caller is told when a party refused: never what is true of that party's own hop alone.
//!
//! Our INVITE to a target is ours: its credentials, extensions, session timer, description and number are none of the
//! caller's, who could do nothing about a status that speaks of them and would miss the header that must stand with it
//! (RFC 3261 §21: a challenge, Contact, Accept, Unsupported, Min-SE …). The target's status stands in the record, is told to
//! whoever asked for a move by REFER, and goes on as a Q.850 cause.

/// The status for the caller.
pub(super) fn status(refused: u16) -> u16 {
    match refused {
        // About the person or the line called, or the whole way there (482, 483).
        403 | 404 | 410 | 433 | 480 | 482 | 483 | 486 | 600 | 603 | 604 | 607 => refused,
        // About the number that we dialled; 484 would have the caller's exchange send more digits of a number that is whole.
        484 | 485 => 404,
        // It must name who rejects on behalf of the person (RFC 8688 §3.1), which is not our knowledge.
        608 => 603,
        // §16.7 step 6: a 503 would have the caller's carrier take all of us for overloaded; so would those of its kind.
        500..600 => 500,
        // Redirections (we call whom the plan names), and whatever our own INVITE had wrong for that hop.
        _ => 480,
    }
}

/// The Q.850 cause of a refusal that gave none (RFC 3398 §8.2.6.1; congestion is 34 here, as carriers write it).
pub(super) fn cause(refused: u16) -> u8 {
    match refused {
        404 | 485 | 604 => 1,
        486 | 600 => 17,
        408 | 480 => 18,
        401 | 402 | 403 | 407 | 433 | 603 | 607 | 608 => 21,
        301 | 410 => 22,
        482 | 483 => 25,
        484 => 28,
        503 => 34,
        502 => 38,
        400 | 481 | 500 => 41,
        580 => 47,
        405 => 63,
        406 | 415 | 501 => 79,
        488 | 606 => 88,
        504 => 102,
        413 | 414 | 416 | 420 | 421 | 422 | 505 | 513 => 127,
        500..600 => 41,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_the_targets_own_hop_stays_there() {
        let own = [
            300, 301, 302, 305, 380, 400, 401, 402, 405, 406, 407, 408, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424,
            428, 429, 430, 436, 437, 438, 439, 440, 469, 470, 481, 484, 485, 487, 488, 489, 491, 493, 494, 501, 502, 503, 504,
            505, 513, 555, 580, 606, 608, 699,
        ];
        for refused in own {
            let told = status(refused);
            assert!([404, 480, 500, 603].contains(&told) && told != refused, "{refused} becomes {told}");
        }
        for person in [403, 404, 410, 480, 486, 600, 603, 604, 607] {
            assert_eq!(status(person), person);
        }
        assert_eq!((status(503), cause(503)), (500, 34));
    }

    /// A caller can be told each of these without a header that belongs to it.
    #[test]
    fn every_status_becomes_one_that_stands_alone() {
        for refused in 300..700 {
            assert!([403, 404, 410, 433, 480, 482, 483, 486, 500, 600, 603, 604, 607].contains(&status(refused)), "{refused}");
            assert!((1..=127).contains(&cause(refused)));
        }
    }
}
