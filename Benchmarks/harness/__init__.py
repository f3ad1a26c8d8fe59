"""What every row of the bench uses: running programs, measuring, peers, results."""
