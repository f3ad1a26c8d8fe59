{
  outputs = { nixpkgs, ... }: {
    devShell = nixpkgs.mkShell {
      packages = with nixpkgs; [ go_1_22 gopls golangci-lint jq ];
    };
  };
}
