describe("shop", function() end)
