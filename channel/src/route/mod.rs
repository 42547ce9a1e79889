//! Finding ways through the graph of channels, by every node for itself.
//!
//! [`Graph`] holds all channels on flat arrays, grouped by the node that they lead to; [`Finder`] searches it backward from the
//! payee, since only the amount that must arrive is known: a mediator's fee depends on what it sends on. Other ways than the
//! best are found by making the edges of those already found dearer, which is far cheaper than the k shortest ways proper.
//! [`Graph::failed`] remembers what an edge could not carry, until that is too old to say anything.
//!
//! [`Board`] keeps what nodes announce of their channels, and makes the edges of it.
//!
//! Method: A* (Hart, Nilsson and Raphael, 1968) from the target, on a compressed sparse row graph. What is left to the payer is told
//! from below by a short look forward around it (Dijkstra, 1959), which makes a search a few times to many times faster than one
//! from the target alone. Scratch space is kept between searches.

mod announcement;
mod graph;
mod search;

pub use announcement::{
    Announced, Announcement, Board, LEAST_SECS, LIFE_SECS, MOST_CHANNELS, MOST_CHECKS, MOST_NEIGHBOURS, SKEW_SECS, Tiding,
    Unheard, read_all,
};
pub use graph::{Edge, EdgeNo, Graph};
pub use search::{Finder, Query, Route};
