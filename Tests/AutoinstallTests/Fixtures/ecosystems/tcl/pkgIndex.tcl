package ifneeded shop 1.0 [list source [file join $dir shop.tcl]]
