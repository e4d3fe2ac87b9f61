module ctconv

go 1.18
