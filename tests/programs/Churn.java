/* Churn.java - a small program that keeps the malloc of a JVM busy.
 *
 * Four threads pack and unpack text (zlib's memory is malloc's) and copy it
 * through buffers outside of the Java heap; the sums depend on nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public final class Churn extends Thread {
    private static final int THREADS = 4, TURNS = 60, LENGTH = 20000;
    private long random;
    private long sum;

    private Churn(long seed) {
        random = seed;
    }

    private byte[] text() {
        byte[] text = new byte[LENGTH];
        for (int i = 0; i < LENGTH; i++) {
            random = random * 6364136223846793005L + 1442695040888963407L;
            text[i] = (byte) ('a' + (random >>> 60));
        }
        return text;
    }

    private static byte[] packAndUnpack(byte[] text) {
        byte[] packed = new byte[2 * LENGTH], back = new byte[LENGTH];
        Deflater deflater = new Deflater();
        deflater.setInput(text);
        deflater.finish();
        int n = deflater.deflate(packed);
        deflater.end();
        Inflater inflater = new Inflater();
        inflater.setInput(packed, 0, n);
        try {
            inflater.inflate(back);
        } catch (DataFormatException e) {
            back[0] = 0;
        }
        inflater.end();
        return back;
    }

    @Override
    public void run() {
        for (int turn = 0; turn < TURNS; turn++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(LENGTH + 100 * turn);
            buffer.put(packAndUnpack(text()));
            buffer.flip();
            while (buffer.hasRemaining())
                sum = sum * 31 + buffer.get();
        }
    }

    public static void main(String[] args) throws InterruptedException {
        Churn[] threads = new Churn[THREADS];
        for (int i = 0; i < THREADS; i++) {
            threads[i] = new Churn(i);
            threads[i].start();
        }
        for (Churn thread : threads) {
            thread.join();
            System.out.println(thread.sum);
        }
    }
}
