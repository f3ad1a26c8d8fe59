{ total: (map(.price * .count) | add) }
