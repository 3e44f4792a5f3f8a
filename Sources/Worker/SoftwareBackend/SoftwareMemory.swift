import GPUBackend
import SIMT

// Copies and fills on device memory: every range is checked before a byte moves.
extension DeviceMemory {
    /// Makes a range live.
    func commit(address: UInt64, byteCount: UInt64) throws(BackendError) {
        do throws(DeviceMemoryError) {
            try allocate(address: address, byteCount: byteCount)
        } catch {
            throw BackendError(error)
        }
    }

    /// Changes the address space.
    func perform(_ body: MemoryChange) throws(BackendError) {
        do throws(DeviceMemoryError) {
            try body(self)
        } catch {
            throw BackendError(error)
        }
    }

    /// Ends an allocation.
    func release(address: UInt64) throws(BackendError) {
        do throws(DeviceMemoryError) {
            try free(address: address)
        } catch {
            throw BackendError(error)
        }
    }

    /// The host memory behind a box, with its rows made dense where possible.
    private func resolve(_ box: MemoryBox) throws(BackendError) -> UnsafeMutableRawPointer {
        guard let span = box.spanByteCount else { throw .badRange }
        guard let pointer = hostPointer(address: box.address, byteCount: span) else {
            // A reserved range is the program's own; what is not mapped or may not be touched there is a fault.
            throw isReserved(box.address) ? .untouchable : .badRange
        }
        return pointer
    }

    /// Calls `body` with each row of the box until it answers false.
    func withRows(
        of box: MemoryBox, _ body: (UnsafeMutableRawBufferPointer) -> Bool
    ) throws(BackendError) {
        guard !box.isEmpty else { return }
        let box = box.coalesced
        let start = try resolve(box)
        for slice in 0..<box.depth {
            for row in 0..<box.height {
                let offset = Int(slice * box.slicePitch + row * box.pitch)
                guard body(UnsafeMutableRawBufferPointer(start: start + offset, count: Int(box.width))) else { return }
            }
        }
    }

    /// Spreads densely packed bytes over the rows of a box.
    func write(_ bytes: UnsafeRawBufferPointer, to box: MemoryBox) throws(BackendError) {
        var offset = 0
        try withRows(of: box) { row in
            guard bytes.count - offset >= row.count else { return false }
            row.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + row.count)]))
            offset += row.count
            return true
        }
    }

    /// Packs the rows of a box densely into `bytes`.
    func read(_ box: MemoryBox, into bytes: UnsafeMutableRawBufferPointer) throws(BackendError) {
        var offset = 0
        try withRows(of: box) { row in
            guard bytes.count - offset >= row.count else { return false }
            UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + row.count)])
                .copyMemory(from: UnsafeRawBufferPointer(row))
            offset += row.count
            return true
        }
    }

    /// Copies row by row; each row may overlap its copy.
    func copy(from source: MemoryBox, to destination: MemoryBox) throws(BackendError) {
        guard !source.isEmpty else { return }
        let from = try resolve(source)
        let to = try resolve(destination)
        for slice in 0..<source.depth {
            for row in 0..<source.height {
                let sourceOffset = Int(slice * source.slicePitch + row * source.pitch)
                let destinationOffset = Int(slice * destination.slicePitch + row * destination.pitch)
                (to + destinationOffset).copyMemory(from: from + sourceOffset, byteCount: Int(source.width))
            }
        }
    }

    /// Fills rows with an element.
    func fill(_ box: MemoryBox, elementByteCount: Int, value: UInt32) throws(BackendError) {
        try withRows(of: box) { row in
            let bytes = row
            switch elementByteCount {
            case 1: bytes.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: value))
            case 2: bytes.initializeMemory(as: UInt16.self, repeating: UInt16(truncatingIfNeeded: value))
            default: bytes.initializeMemory(as: UInt32.self, repeating: value)
            }
            return true
        }
    }
}
