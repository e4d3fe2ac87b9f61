module layers

go 1.18

require ctconv v0.0.0

replace ctconv => ../../../bindings/go
