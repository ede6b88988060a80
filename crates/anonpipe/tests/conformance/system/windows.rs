//! Handles and threads of this process.
