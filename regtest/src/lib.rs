//! Real nodes on one machine: fetched, started, mined, reorged and stopped
