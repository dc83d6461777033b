// Package ptytest runs a command on a pseudo terminal, types to it and looks at its screen. It is for Unix alone: tests that
// use it have the build tag unix.
package ptytest
