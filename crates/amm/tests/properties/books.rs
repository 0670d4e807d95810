//! What every swap owes its trader and its pool.
