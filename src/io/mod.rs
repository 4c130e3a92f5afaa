//! The impure room: sockets, files, clocks, threads, randomness. It drives the switch and carries out what it says.
