internal import NIOCore
internal import HummingbirdTLS
internal import NIOSSL

/// A server's certificate and key, both PEM.
struct TLSFiles: Sendable, Hashable {
    /// Path of the certificate, those of intermediate authorities behind it.
    var certificate: String
    /// Path of its private key, without a passphrase.
    var key: String

    struct Identity: Sendable, Hashable {
        var certificates: [NIOSSLCertificate]
        var key: NIOSSLPrivateKey

        /// TLS 1.2 and later.
        var configuration: TLSConfiguration {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            return configuration
        }
    }

    var reader: LiveFile<Identity>.Reader { { () throws(FileErrors) in try read() } }

    /// - Throws: what is wrong with which file. Holds nothing of the key.
    func read() throws(FileErrors) -> Identity {
        let (certificateText, keyText) = (try String(file: certificate), try String(file: key))
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(Array(certificateText.utf8)), !certificates.isEmpty
        else { throw FileErrors(certificate, "holds no certificate in PEM form") }
        guard let privateKey = try? NIOSSLPrivateKey(bytes: Array(keyText.utf8), format: .pem) else {
            throw FileErrors(key, "holds no private key in PEM form, or one with a passphrase")
        }
        let identity = Identity(certificates: certificates, key: privateKey)
        guard (try? NIOSSLContext(configuration: identity.configuration)) != nil else {
            throw FileErrors(key, "is not the key of the certificate in \(certificate)")
        }
        return identity
    }
}

extension LiveFile<TLSFiles.Identity> {
    /// A server's settings that take the certificate anew for each connection.
    var configuration: TLSConfiguration {
        var configuration = current.configuration
        configuration.sslContextCallback = { [self] _, promise in
            let identity = current
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = identity.certificates.map { .certificate($0) }
            override.privateKey = .privateKey(identity.key)
            promise.succeed(override)
        }
        return configuration
    }
}
