{ pkgs ? import <nixpkgs> { } }:
pkgs.mkShell {
  nativeBuildInputs = [ pkgs.cmake pkgs.ninja pkgs.gtest ];
  buildInputs = [
    pkgs.zlib
    (pkgs.python311.withPackages (ps: [ ps.numpy ]))
    pkgs.nodejs_20
  ];
}
