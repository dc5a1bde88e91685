"""Has the two engines, and what every noun of the store needs of them: connections, the writer, migrations."""
