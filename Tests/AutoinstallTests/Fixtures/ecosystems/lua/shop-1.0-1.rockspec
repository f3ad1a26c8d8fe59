package = "shop"
dependencies = { "lua >= 5.1", "lpeg" }
