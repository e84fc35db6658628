/* Pictures to send: files become data URLs of bounded size, redrawn where they are too large. */

const SIDE = 1280;
const KEPT_BYTES = 400_000;
const QUALITY = 0.86;
const AS_THEY_ARE = new Set(['image/jpeg', 'image/png', 'image/webp']);
export const MOST = 8;

/* Returns `{url, name, width, height}`; throws an Error whose message can be shown. */
export async function toImage(file) {
    let bitmap;
    try {
        bitmap = await createImageBitmap(file);
    } catch {
        throw new Error(`${file.name || 'The image'} is no picture that this browser can read.`);
    }
    const { width, height } = bitmap;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    const isSmall = scale === 1 && file.size <= KEPT_BYTES && AS_THEY_ARE.has(file.type);
    const url = isSmall ? await asItIs(file) : redrawn(bitmap, Math.round(width * scale) || 1, Math.round(height * scale) || 1);
    bitmap.close();
    return { url, name: file.name || 'image', width, height };
}

export function imagesOf(transfer) {
    return [...(transfer?.files || [])].filter((file) => file.type.startsWith('image/'));
}

function redrawn(bitmap, width, height) {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d');
    // JPEG knows no transparency and would make it black.
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0, width, height);
    return canvas.toDataURL('image/jpeg', QUALITY);
}

function asItIs(file) {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.addEventListener('load', () => resolve(reader.result));
        reader.addEventListener('error', () => reject(new Error(`${file.name} could not be read.`)));
        reader.readAsDataURL(file);
    });
}
