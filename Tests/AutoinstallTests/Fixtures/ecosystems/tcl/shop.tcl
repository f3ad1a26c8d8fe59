package provide shop 1.0
