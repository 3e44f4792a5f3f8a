internal import ClientRuntime
internal import WireProtocol

extension CopyWork {
    /// The command that does it; with memory of the host, the worker asks for it by the token. The stream is of no
    /// importance.
    func encoded(token: UInt64) -> (command: UInt16, payload: [UInt8]) {
        switch (destination, source) {
        case (.plane(let to), .plane(let from)): encoded(to: to, from: from, token)
        case (.array(let to), .plane(let from)): encoded(to: to, from: from, token)
        case (.plane(let to), .array(let from)): encoded(to: to, from: from, token)
        case (.array(let to), .array(let from)):
            (
                CopyArrayToArray.id,
                WireBytes.of(
                    CopyArrayToArray(
                        destination: to.array, destinationLevel: to.level, destinationX: to.x, destinationY: to.y,
                        destinationZ: to.z, source: from.array, sourceLevel: from.level, sourceX: from.x,
                        sourceY: from.y, sourceZ: from.z, width: width, height: height, depth: depth, stream: 0))
            )
        }
    }

    private var width: UInt64 { UInt64(box.width) }
    private var height: UInt64 { UInt64(box.height) }
    private var depth: UInt64 { UInt64(box.depth) }

    private func encoded(to: CopyPlane, from: CopyPlane, _ token: UInt64) -> (command: UInt16, payload: [UInt8]) {
        switch (to.end, from.end) {
        case (.host, .host): return (HostFunction.id, WireBytes.of(HostFunction(stream: 0, token: token)))
        case (.device(let address), .host):
            let command = CopyFromHost(
                token: token, address: address, pitch: UInt64(to.pitch), slicePitch: UInt64(to.slicePitch),
                width: width, height: height, depth: depth, stream: 0)
            return (CopyFromHost.id, WireBytes.of(command))
        case (.host, .device(let address)):
            let command = CopyToHost(
                token: token, address: address, pitch: UInt64(from.pitch), slicePitch: UInt64(from.slicePitch),
                width: width, height: height, depth: depth, stream: 0)
            return (CopyToHost.id, WireBytes.of(command))
        case (.device(let destination), .device(let source)):
            let command = CopyDeviceToDevice3D(
                destination: destination, destinationPitch: UInt64(to.pitch),
                destinationSlicePitch: UInt64(to.slicePitch), source: source, sourcePitch: UInt64(from.pitch),
                sourceSlicePitch: UInt64(from.slicePitch), width: width, height: height, depth: depth, stream: 0)
            return (CopyDeviceToDevice3D.id, WireBytes.of(command))
        }
    }

    private func encoded(to: ArrayPlace, from: CopyPlane, _ token: UInt64) -> (command: UInt16, payload: [UInt8]) {
        switch from.end {
        case .host:
            let command = ArrayFromHost(
                token: token, array: to.array, level: to.level, x: to.x, y: to.y, z: to.z, width: width,
                height: height, depth: depth, stream: 0)
            return (ArrayFromHost.id, WireBytes.of(command))
        case .device(let address):
            let command = CopyDeviceToArray(
                array: to.array, level: to.level, x: to.x, y: to.y, z: to.z, address: address,
                pitch: UInt64(from.pitch), slicePitch: UInt64(from.slicePitch), width: width, height: height,
                depth: depth, stream: 0)
            return (CopyDeviceToArray.id, WireBytes.of(command))
        }
    }

    private func encoded(to: CopyPlane, from: ArrayPlace, _ token: UInt64) -> (command: UInt16, payload: [UInt8]) {
        switch to.end {
        case .host:
            let command = ArrayToHost(
                token: token, array: from.array, level: from.level, x: from.x, y: from.y, z: from.z, width: width,
                height: height, depth: depth, stream: 0)
            return (ArrayToHost.id, WireBytes.of(command))
        case .device(let address):
            let command = CopyArrayToDevice(
                array: from.array, level: from.level, x: from.x, y: from.y, z: from.z, address: address,
                pitch: UInt64(to.pitch), slicePitch: UInt64(to.slicePitch), width: width, height: height,
                depth: depth, stream: 0)
            return (CopyArrayToDevice.id, WireBytes.of(command))
        }
    }
}
