defmodule Shop do
  def key, do: System.fetch_env!("SHOP_SECRET")
end
