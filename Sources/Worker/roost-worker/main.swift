import CPosix
import CUDABackend
import GPUBackend
import Logging
import Primitives
import SoftwareBackend
import Transport
import WireProtocol
import WorkerCore

/// Ends the program with a message on standard error.
func fail(_ message: String, status: Int32 = 1) -> Never {
    let line = Array("roost-worker: \(message)\n".utf8)
    _ = line.withUnsafeBytes { bytes in bytes.baseAddress.map { posix_write_all(2, $0, bytes.count) } }
    exit(status)
}

func say(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { bytes in bytes.baseAddress.map { posix_write_all(descriptor, $0, bytes.count) } }
}

/// The first line of a file or of `ROOST_TOKEN`; nil without either.
func token(_ options: WorkerOptions) -> [UInt8]? {
    var text: [UInt8]
    if let file = options.tokenFile {
        let descriptor = posix_open(file, Int32(POSIX_OPEN_READ), 0)
        guard descriptor >= 0 else { fail("cannot read the token file \(file)") }
        text = [UInt8](repeating: 0, count: WireLimits.tokenByteCountMax + 1)
        let count = text.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { posix_read(descriptor, $0, bytes.count) } ?? 0
        }
        _ = posix_close(descriptor)
        text = Array(text.prefix(max(0, count)))
    } else if let value = posix_environment("ROOST_TOKEN") {
        text = Array(String(cString: value).utf8)
    } else {
        return nil
    }
    let line = Array(text.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
    guard !line.isEmpty, line.count <= WireLimits.tokenByteCountMax else {
        fail("the token is empty or longer than \(WireLimits.tokenByteCountMax) bytes")
    }
    return line
}

func makeLogger(_ options: WorkerOptions) -> Logger {
    guard let level = Logger.Level(rawValue: options.logLevel) else {
        fail("--log-level can't be \"\(options.logLevel)\"; see roost-worker --help", status: 64)
    }
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "roost-worker")
    logger.logLevel = level
    return logger
}

func makeSoftwareBackend(_ options: WorkerOptions) -> any GPUBackend {
    #if !ROOST_BASELINE_CPU
    guard posix_cpu_has_avx2(), posix_cpu_has_fma() else {
        fail("the software GPU needs a CPU with AVX2 and FMA; build with ROOST_BASELINE_CPU=1 for older ones")
    }
    #endif
    var software = SoftwareOptions()
    if let name = options.name { software.name = name }
    // Two workers must not show one UUID, so without a given one each start draws its own (version 4, variant 1).
    (software.uuidHigh, software.uuidLow) =
        options.uuid
        ?? (
            high: UInt64.random(in: 0...UInt64.max) & ~0xF000 | 0x4000,
            low: UInt64.random(in: 0...UInt64.max) >> 2 | 1 << 63
        )
    software.totalByteCount = options.vramByteCount
    software.computeCapability = options.computeCapability
    software.threadCount = options.threadCount > 0 ? options.threadCount : Int(posix_cpu_count())
    return SoftwareBackend(options: software)
}

/// Where module images are kept: as the command line says, else the environment, else in the user's cache folder.
func imageCache(_ options: WorkerOptions) -> ImageCacheSetting? {
    func variable(_ name: String) -> String? {
        posix_environment(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    let folder =
        options.imageCache ?? variable("ROOST_IMAGE_CACHE")
        ?? variable("XDG_CACHE_HOME").map { $0 + "/roost/images" }
        ?? variable("HOME").map { $0 + "/.cache/roost/images" }
    guard let folder, folder.hasPrefix("/") else { return nil }
    return ImageCacheSetting(folder: folder, byteCountMax: options.imageCacheByteCount)
}

/// The driver that the command line names, or the system's.
func driverPath(_ options: WorkerOptions) -> String {
    guard let path = options.driver ?? SystemDriver.path() else {
        fail("this machine has no libcuda.so.1; install the NVIDIA driver, or give --driver PATH")
    }
    return path
}

func makeDriverBackend(_ options: WorkerOptions) -> any GPUBackend {
    var cuda = CUDAOptions(driverPath: driverPath(options))
    cuda.ordinal = options.device
    cuda.name = options.name
    cuda.uuid = options.uuid
    cuda.output = OutputCapture()
    do throws(BackendError) {
        return try CUDABackend(options: cuda)
    } catch {
        fail("device \(options.device) can't be used: \(error.message)")
    }
}

/// Shows a driver's devices, one on each line: ordinal, UUID, bytes, multiprocessors, compute capability, name.
func listDevices(_ options: WorkerOptions) -> Never {
    do throws(BackendError) {
        for device in try CUDADeviceSummary.list(driverPath: driverPath(options)) { say(device.line + "\n", to: 1) }
    } catch {
        fail(error.message)
    }
    exit(0)
}

/// The certificate that the command line names.
func identity(_ options: WorkerOptions) -> TLSIdentity? {
    guard let certificate = options.certificateFile, let key = options.keyFile else { return nil }
    do throws(TransportError) {
        return try TLSIdentity(certificateFile: certificate, keyFile: key)
    } catch {
        fail("the certificate \(certificate) with the key \(key) can't be used: \(error.reason)")
    }
}

func parseOptions() -> WorkerOptions {
    do throws(WorkerOptions.Failure) {
        let options = try WorkerOptions.parse(Array(CommandLine.arguments.dropFirst()))
        if options.wantsHelp {
            say(WorkerOptions.help + "\n", to: 1)
            exit(0)
        }
        return options
    } catch {
        fail(error.message, status: 64)
    }
}

let options = parseOptions()
if options.listsDevices { listDevices(options) }
// What a driver prints for kernels goes to the client, so this program speaks to a descriptor of its own.
let standardOutput = posix_duplicate(1)
let secret = token(options)
do throws(WorkerOptions.Failure) {
    try options.checkSafety(hasToken: secret != nil)
} catch {
    fail(error.message, status: 64)
}
let signals = [Int32(POSIX_SIGNAL_TERMINATE), Int32(POSIX_SIGNAL_INTERRUPT)]
for signal in signals { _ = posix_block_signal(signal) }
_ = posix_ignore_signal(Int32(POSIX_SIGNAL_PIPE))
if options.diesWithParent { _ = posix_die_with_parent(Int32(POSIX_SIGNAL_TERMINATE)) }

let logger = makeLogger(options)
var configuration = WorkerConfiguration(descriptionHash: DescriptionHash.value)
configuration.vramByteCount = options.vramByteCount
configuration.computePercent = options.computePercent
configuration.token = secret
configuration.peerEndpoints = options.peerEndpoints
configuration.imageCache = imageCache(options)
configuration.identity = identity(options)
let backend = options.usesDriver ? makeDriverBackend(options) : makeSoftwareBackend(options)
let worker = Worker(configuration: configuration, backend: backend, logger: logger)
guard worker.start() else { fail("the system has no more threads") }
for endpoint in options.endpoints {
    do throws(TransportError) {
        let actual = try worker.listen(endpoint)
        if actual != endpoint { say("\(actual)\n", to: standardOutput) }
    } catch {
        let number = error.errorNumber
        let cause = number == 0 ? "" : ": " + String(cString: posix_error_text(number))
        fail("cannot listen at \(endpoint): \(error.reason)\(cause)")
    }
}
if options.exitsWithStandardInput {
    let own = posix_process_id()
    let watcher = OSThread.start("roost-stdin") {
        var byte: UInt8 = 0
        while posix_read(0, &byte, 1) > 0 {}
        _ = posix_send_signal(own, Int32(POSIX_SIGNAL_TERMINATE))
    }
    if watcher == nil { fail("the system has no more threads") }
}
if let descriptor = options.readyDescriptor {
    // Descriptor 1 is the driver's by now.
    let ready = options.usesDriver && descriptor == 1 ? standardOutput : descriptor
    say("ready\n", to: ready)
    _ = posix_close(ready)
}
while posix_wait_signal(signals, Int32(signals.count), -1) < 0 {}
if !worker.stop() { logger.warning("some sessions did not end in time") }
exit(0)
