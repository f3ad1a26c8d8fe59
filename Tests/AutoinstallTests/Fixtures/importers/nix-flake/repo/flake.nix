{
  description = "A shop";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-23.11";
  outputs = { self, nixpkgs }:
    let
      pkgs = nixpkgs.legacyPackages.x86_64-linux;
    in {
      devShells.x86_64-linux.default = pkgs.mkShell {
        buildInputs = with pkgs; [
          # toolchain
          rustc cargo
          pkg-config
          openssl
          postgresql_15
          cargo-watch
        ] ++ lib.optionals stdenv.isDarwin [ libiconv ];
        RUST_BACKTRACE = "1";
        shellHook = "export X=1";
      };
    };
}
