//! What a swap is and what must be done next: pure decisions, no input or output
