class Shop { String k = System.getenv("SHOP_API_KEY"); }
