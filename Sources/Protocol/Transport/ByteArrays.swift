extension [UInt8] {
    /// Calls `body` with a terminated copy.
    func withTerminator<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        var copy = self
        copy.append(0)
        return copy.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { preconditionFailure("a terminated array has bytes") }
            return body(start.assumingMemoryBound(to: CChar.self))
        }
    }

    /// Calls `body` with the bytes, keeping its type of error.
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let result = withUnsafeBytes { bytes -> Result<Value, Failure> in
            do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Calls `body` with the bytes to be changed, keeping its type of error.
    mutating func withMutableBytes<Value, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let result = withUnsafeMutableBytes { bytes -> Result<Value, Failure> in
            do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
