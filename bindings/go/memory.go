// SPDX-License-Identifier: Apache-2.0

package ctconv

import (
	"fmt"
	"syscall"
)

// What is smaller is left to Go's runtime, whose heap is not asked for each slice.
const small = 1 << 26

// beyondMemory is "" where a slice of `count` elements may be made, else how much is legal. A slice that the system does
// not give ends the whole program, and nothing can recover it. So the system is asked for as much before.
func beyondMemory(count, size int) string {
	if count <= small/size {
		return ""
	}
	var system syscall.Sysinfo_t
	if err := syscall.Sysinfo(&system); err == nil {
		room := (uint64(system.Totalram) + uint64(system.Totalswap)) * uint64(system.Unit)
		if uint64(count) > room/uint64(size) {
			return fmt.Sprintf("at most %d bytes, this machine's memory", room)
		}
	}
	bytes := count * size
	probe, err := syscall.Mmap(-1, 0, bytes+bytes/16, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON) // a sixteenth more: the heap's own records
	if err != nil {
		return fmt.Sprintf("at most what the system gives: %d bytes are refused (%v)", bytes, err)
	}
	if err := syscall.Munmap(probe); err != nil {
		return fmt.Sprintf("at most what the system gives: %v", err)
	}
	return ""
}
