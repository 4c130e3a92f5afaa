//! The journal's tables, and how a file of each older release is brought up.

/// Raised with every change of the tables, together with a step that brings an older file up.
pub const SCHEMA: i64 = 11;
/// `HOTL`: by this a file is known for a journal of ours.
pub const APPLICATION: i64 = 0x484f_544c;

const TABLES: &str = "
    CREATE TABLE calls (call BLOB PRIMARY KEY, open INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX open_calls ON calls (call) WHERE open = 1;
    CREATE TABLE entries (
        call BLOB NOT NULL, seq INTEGER NOT NULL, wall INTEGER NOT NULL, mono INTEGER NOT NULL, what TEXT NOT NULL,
        PRIMARY KEY (call, seq)) WITHOUT ROWID;
    CREATE TABLE deliveries (
        backend TEXT NOT NULL, call BLOB NOT NULL, sequence INTEGER NOT NULL, kind TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0, error TEXT,
        PRIMARY KEY (backend, call, sequence)) WITHOUT ROWID;
    CREATE TABLE lanes (
        backend TEXT NOT NULL, call BLOB NOT NULL, next_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, since INTEGER,
        PRIMARY KEY (backend, call)) WITHOUT ROWID;
    CREATE INDEX due_lanes ON lanes (backend, next_at, call);
    PRAGMA user_version = 1;";
/// From version 1. `calls.backends` names who gets a call's events, one a line; NULL: everybody. `tickets` is what is known
/// of a call's ticket in a backend, from `creating` on, when its create was asked; `after` is the last entry at its link.
const TICKETS: &str = "
    ALTER TABLE calls ADD COLUMN backends TEXT;
    CREATE TABLE tickets (
        backend TEXT NOT NULL, call BLOB NOT NULL, id TEXT, url TEXT, creating INTEGER, after INTEGER,
        PRIMARY KEY (call, backend)) WITHOUT ROWID;
    PRAGMA user_version = 2;";

/// From version 2. `calls.line` is the hotline's number. `feed.n` counts on without gaps; the oldest rows go.
/// `postscripts.sequence` is the event's own, after the entry that it followed. `reports` tells records from others apart,
/// `callbacks` messages that were taken already. An entry's events had two numbers before.
const AMENDMENTS: &str = "
    ALTER TABLE calls ADD COLUMN line TEXT;
    CREATE TABLE feed (n INTEGER PRIMARY KEY AUTOINCREMENT, call BLOB NOT NULL, sequence INTEGER NOT NULL, kind TEXT NOT NULL);
    CREATE TABLE postscripts (
        call BLOB NOT NULL, sequence INTEGER NOT NULL, wall INTEGER NOT NULL, news TEXT NOT NULL,
        PRIMARY KEY (call, sequence)) WITHOUT ROWID;
    CREATE TABLE reports (source TEXT NOT NULL, id TEXT NOT NULL, call BLOB NOT NULL, PRIMARY KEY (source, id)) WITHOUT ROWID;
    CREATE TABLE callbacks (
        backend TEXT NOT NULL, id TEXT NOT NULL, sent INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (backend, id)) WITHOUT ROWID;
    CREATE INDEX old_callbacks ON callbacks (at);
    UPDATE deliveries SET sequence = sequence / 2 * 1000 + sequence % 2;
    INSERT INTO postscripts SELECT t.call, after * 1000 + 1 + row_number() OVER (PARTITION BY t.call, after ORDER BY backend),
        e.wall, json_object('linked', json_object('backend', backend, 'id', id, 'url', url))
        FROM tickets t JOIN entries e ON e.call = t.call AND e.seq = after WHERE id IS NOT NULL;
    ALTER TABLE tickets DROP COLUMN after;
    PRAGMA user_version = 3;";
/// From version 3. `calls.settled` is when a backend had all of a call last; `seals` has each key's sample; `callers` finds a
/// caller's calls by a hash.
const SEALS: &str = "
    ALTER TABLE calls ADD COLUMN settled INTEGER;
    CREATE INDEX settled_calls ON calls (settled) WHERE settled IS NOT NULL;
    UPDATE calls SET settled = unixepoch() * 1000000 WHERE open = 0 AND call IN (SELECT call FROM deliveries);
    CREATE TABLE seals (key TEXT PRIMARY KEY, sample BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE callers (hash BLOB NOT NULL, call BLOB NOT NULL, PRIMARY KEY (hash, call)) WITHOUT ROWID;
    CREATE INDEX callers_of ON callers (call);
    PRAGMA user_version = 4;";

/// From version 4. `calls.recording` is 1 until it is told what became of the call's recording.
const RECORDINGS: &str = "
    ALTER TABLE calls ADD COLUMN recording INTEGER;
    CREATE INDEX owed_recordings ON calls (call) WHERE recording = 1;
    PRAGMA user_version = 5;";

/// From version 5. `calls.backends` names everybody who gets a call; NULL only in calls of before.
const NAMED: &str = "
    PRAGMA user_version = 6;";

/// From version 6. `lanes.aside` is 1 while the backend refuses the lane's next event.
const ASIDE: &str = "
    ALTER TABLE lanes ADD COLUMN aside INTEGER;
    CREATE INDEX lanes_aside ON lanes (backend, call) WHERE aside = 1;
    CREATE INDEX dead_letters ON deliveries (backend, call) WHERE state = 'dead';
    PRAGMA user_version = 7;";

/// From version 7. `header` says which journal this is, how many groups of entries it has, when the last one came by the
/// wall clock and by the clock of deliveries, and whether a gateway holds it. `sum` is each row's checksum, absent in rows of before;
/// `damaged` has what could not be read.
const HEADER: &str = "
    CREATE TABLE header (
        one INTEGER PRIMARY KEY CHECK (one = 1), id BLOB NOT NULL, groups INTEGER NOT NULL, at INTEGER NOT NULL,
        clock INTEGER NOT NULL, held INTEGER NOT NULL);
    INSERT INTO header VALUES (1, randomblob(16), 0, 0, max(unixepoch(), 1577836800) * 1000000, 0);
    ALTER TABLE entries ADD COLUMN sum INTEGER;
    ALTER TABLE postscripts ADD COLUMN sum INTEGER;
    CREATE TABLE damaged (
        n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, call BLOB, place TEXT NOT NULL, why TEXT NOT NULL, row TEXT,
        seen INTEGER);
    UPDATE lanes SET next_at = 0, since = NULL;
    PRAGMA application_id = 0x484f544c;
    PRAGMA user_version = 8;";

/// From version 8. `header.totals` has a total over the rows of each table, unknown until all have been counted; `header.sum`
/// is the header's own checksum.
const TALLIES: &str = "
    ALTER TABLE header ADD COLUMN totals BLOB;
    ALTER TABLE header ADD COLUMN sum INTEGER;
    PRAGMA user_version = 9;";

/// From version 9. `recipients` names the backends that get a call, which stood in `calls.backends`, one a line, before.
/// `calls.chosen` is not NULL once they are written down.
const RECIPIENTS: &str = "
    CREATE TABLE recipients (call BLOB NOT NULL, backend TEXT NOT NULL, PRIMARY KEY (call, backend)) WITHOUT ROWID;
    WITH RECURSIVE names (call, name, rest) AS (
        SELECT call, '', backends || char(10) FROM calls WHERE backends <> ''
        UNION ALL
        SELECT call, substr(rest, 1, instr(rest, char(10)) - 1), substr(rest, instr(rest, char(10)) + 1) FROM names WHERE rest <> '')
    INSERT OR IGNORE INTO recipients SELECT call, name FROM names WHERE name <> '';
    UPDATE calls SET backends = '' WHERE backends IS NOT NULL;
    ALTER TABLE calls RENAME COLUMN backends TO chosen;
    PRAGMA user_version = 10;";

/// From version 10. `seat_entries` is the log of seats. `facts` is what must be there after a
/// crash and is no log. Both are rows of their own checksum.
const SEATS: &str = "
    CREATE TABLE seat_entries (
        n INTEGER PRIMARY KEY, seat TEXT NOT NULL, wall INTEGER NOT NULL, mono INTEGER NOT NULL, what TEXT NOT NULL,
        sum INTEGER NOT NULL);
    CREATE INDEX entries_of_seats ON seat_entries (seat, n);
    CREATE INDEX old_seat_entries ON seat_entries (wall);
    CREATE TABLE facts (
        kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    PRAGMA user_version = 11;";

/// Statements that bring a file of each version up, by the version.
pub const MIGRATIONS: [&str; SCHEMA as usize] =
    [TABLES, TICKETS, AMENDMENTS, SEALS, RECORDINGS, NAMED, ASIDE, HEADER, TALLIES, RECIPIENTS, SEATS];
