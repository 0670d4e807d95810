//! The one matrix product: `C[i][j] = start + Σ_p A(i, p) · B[p][j]`, with p ascending
//! and one rounding per term, whatever the tiling. It serves the forward pass, the
//! gradient of the inputs and the gradient of the weights.

use super::lanes::{Block, LANES, Lanes};

/// What an element starts from.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Zero.
    Zero,
    /// One number per column: a bias.
    Bias(&'a [Block]),
    /// What `C` holds already.
    Kept,
}

/// The left matrix: element (i, p) is `values[i · row + p · step]`; `row` or `step` is 1.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between the terms of a row.
    pub step: usize,
}

/// `c` (`rows` × `columns` blocks) from `a` (`rows` × `depth`) and `b` (`depth` ×
/// `columns` blocks), in tiles of `R` rows and `C` blocks that stay in registers.
#[inline(always)]
pub fn product<V: Lanes, const R: usize, const C: usize>(
    rows: usize,
    depth: usize,
    a: Left,
    b: &[Block],
    columns: usize,
    start: Start,
    c: &mut [Block],
) {
    let mut column = 0;
    while column + C <= columns {
        panel::<V, R, C>(rows, depth, a, b, columns, column, start, c);
        column += C;
    }
    while column < columns {
        panel::<V, R, 1>(rows, depth, a, b, columns, column, start, c);
        column += 1;
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "inlined into the product")]
fn panel<V: Lanes, const R: usize, const C: usize>(
    rows: usize,
    depth: usize,
    a: Left,
    b: &[Block],
    columns: usize,
    column: usize,
    start: Start,
    c: &mut [Block],
) {
    let mut row = 0;
    while row + R <= rows {
        tile::<V, R, C>(row, depth, a, b, columns, column, start, c);
        row += R;
    }
    if R > 4 && row + 4 <= rows {
        tile::<V, 4, C>(row, depth, a, b, columns, column, start, c);
        row += 4;
    }
    if row + 2 <= rows {
        tile::<V, 2, C>(row, depth, a, b, columns, column, start, c);
        row += 2;
    }
    while row < rows {
        tile::<V, 1, C>(row, depth, a, b, columns, column, start, c);
        row += 1;
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "inlined into the product")]
fn tile<V: Lanes, const R: usize, const C: usize>(
    row: usize,
    depth: usize,
    a: Left,
    b: &[Block],
    columns: usize,
    column: usize,
    start: Start,
    c: &mut [Block],
) {
    let mut sums = [[V::splat(0.0); C]; R];
    match start {
        Start::Zero => {}
        Start::Bias(bias) => {
            for j in 0..C {
                let value = V::load(&bias[column + j]);
                for sum in &mut sums {
                    sum[j] = value;
                }
            }
        }
        Start::Kept => {
            for (i, sum) in sums.iter_mut().enumerate() {
                for (j, value) in sum.iter_mut().enumerate() {
                    *value = V::load(&c[(row + i) * columns + column + j]);
                }
            }
        }
    }
    // One bounds check for all rows' terms instead of one for each is what keeps
    // narrow registers busy; both layouts give the same sums.
    let mut from = column;
    if a.step == 1 {
        let mut rows = [[].as_slice(); R];
        for (i, terms) in rows.iter_mut().enumerate() {
            *terms = &a.values[(row + i) * a.row..][..depth];
        }
        for p in 0..depth {
            let right = load::<V, C>(b, from);
            for (sum, terms) in sums.iter_mut().zip(&rows) {
                let left = V::splat(terms[p]);
                for j in 0..C {
                    sum[j] = left.mul_add(right[j], sum[j]);
                }
            }
            from += columns;
        }
    } else {
        assert_eq!(a.row, 1, "rows or terms lie side by side");
        let mut at = row;
        for _ in 0..depth {
            let right = load::<V, C>(b, from);
            let terms: &[f32; R] = a.values[at..at + R].try_into().expect("R terms");
            for (sum, term) in sums.iter_mut().zip(terms) {
                let left = V::splat(*term);
                for j in 0..C {
                    sum[j] = left.mul_add(right[j], sum[j]);
                }
            }
            at += a.step;
            from += columns;
        }
    }
    for (i, sum) in sums.iter().enumerate() {
        for (j, value) in sum.iter().enumerate() {
            value.store(&mut c[(row + i) * columns + column + j]);
        }
    }
}

/// `C` blocks of `b` from `from` on.
#[inline(always)]
fn load<V: Lanes, const C: usize>(b: &[Block], from: usize) -> [V; C] {
    let blocks: &[Block; C] = b[from..from + C].try_into().expect("C blocks");
    let mut values = [V::splat(0.0); C];
    for (value, block) in values.iter_mut().zip(blocks) {
        *value = V::load(block);
    }
    values
}

/// `out` (`columns` · 16 rows of `Block::count(rows)` blocks) = the transpose of `from`
/// (`rows` rows of `columns` blocks); the rows that fill up the last block are zero.
#[inline(always)]
pub fn transpose<V: Lanes>(rows: usize, columns: usize, from: &[Block], out: &mut [Block]) {
    let out_columns = Block::count(rows);
    for block_row in 0..out_columns {
        for column in 0..columns {
            let mut square = [V::splat(0.0); LANES];
            for (i, value) in square.iter_mut().enumerate() {
                if block_row * LANES + i < rows {
                    *value = V::load(&from[(block_row * LANES + i) * columns + column]);
                }
            }
            for (i, value) in V::transpose(square).into_iter().enumerate() {
                value.store(&mut out[(column * LANES + i) * out_columns + block_row]);
            }
        }
    }
}
