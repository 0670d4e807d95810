//! Which lines of a file are out of place.

/// Marks the longest run of ascending numbers, so that the fewest are called out of
/// place. Of equal numbers the first stays.
pub fn longest_ascending(numbers: &[u64]) -> Vec<bool> {
    // tails[k] is the index of the lowest number that ends a run of k + 1 numbers.
    let mut tails: Vec<usize> = Vec::new();
    let mut before = vec![None; numbers.len()];
    for (index, number) in numbers.iter().enumerate() {
        let length = tails.partition_point(|&tail| numbers[tail] < *number);
        before[index] = length.checked_sub(1).map(|shorter| tails[shorter]);
        match tails.get_mut(length) {
            Some(tail) if numbers[*tail] > *number => *tail = index,
            Some(_) => {}
            None => tails.push(index),
        }
    }
    let mut kept = vec![false; numbers.len()];
    let mut at = tails.last().copied();
    while let Some(index) = at {
        kept[index] = true;
        at = before[index];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(numbers: &[u64]) -> Vec<usize> {
        let kept = longest_ascending(numbers);
        (0..numbers.len()).filter(|index| !kept[*index]).collect()
    }

    #[test]
    fn the_fewest_numbers_are_out_of_place() {
        assert!(left_out(&[]).is_empty());
        assert!(left_out(&[0, 1, 2, 3]).is_empty());
        assert_eq!(left_out(&[9, 0, 1, 2, 3]), [0]);
        assert_eq!(left_out(&[0, 1, 3, 2, 4]), [2]);
        assert_eq!(left_out(&[0, 1, 1, 2]), [2]);
        assert_eq!(left_out(&[0, 5, 6, 1, 7]), [3]);
    }
}
