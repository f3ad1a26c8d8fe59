defmodule Shop.MixProject do
  def project, do: [app: :shop, version: "0.1.0", elixir: "~> 1.14", deps: deps()]
  defp deps, do: [{:postgrex, "~> 0.17"}, {:credo, "~> 1.7"}]
end
