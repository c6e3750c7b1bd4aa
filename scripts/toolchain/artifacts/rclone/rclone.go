//go:build tools

// Package rclone pins rclone; its program is built straight from the module.
package rclone

import _ "github.com/rclone/rclone"
