internal import CPosix
internal import Transport
internal import WireProtocol

extension Worker {
    /// Opens a connection to the worker; says why not when it can't.
    func connect(role: ConnectionRole, laneIndex: UInt32) -> Connection? {
        let text = UnsafeRawBufferPointer(start: state.pointee.endpoint, count: state.pointee.endpointByteCount)
        guard let endpoint = Endpoint(utf8: text) else {
            ClientLog.problem("ROOST_ENDPOINT is not an endpoint: ", text)
            return nil
        }
        var hello = Hello(
            descriptionHash: DescriptionHash.value, role: role, flags: Session.isStrict ? Hello.strictFlag : 0,
            session: state.pointee.session, laneIndex: laneIndex,
            processID: UInt32(bitPattern: posix_process_id()))
        hello.token = UnsafeRawBufferPointer(start: state.pointee.token, count: state.pointee.tokenByteCount)
        return withUnsafeTemporaryAllocation(byteCount: WireLimits.processNameByteCountMax, alignment: 1) {
            name -> Connection? in
            if let start = name.baseAddress {
                let length = posix_program_name(start.assumingMemoryBound(to: CChar.self), name.count)
                let count = length < name.count ? length : name.count
                hello.processName = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(name)[0..<count])
            }
            do throws(TransportError) {
                let greeting = try Connection.connect(to: endpoint, hello: hello)
                guard greeting.status == .accepted else {
                    greeting.message.withUnsafeBytes { ClientLog.problem("the worker refused this process: ", $0) }
                    return nil
                }
                return greeting.connection
            } catch {
                ClientLog.problem("the worker can't be reached at ", text)
                ClientLog.problem("the reason: ", error.reason)
                return nil
            }
        }
    }
}
