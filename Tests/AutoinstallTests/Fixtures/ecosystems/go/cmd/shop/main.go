package main

// #cgo pkg-config: libpcap
import "C"

func main() {}
